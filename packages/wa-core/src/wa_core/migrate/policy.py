"""What a migration was asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from wa_core.errors import UsageError
from wa_core.migrate.scope import EVERYTHING, Scope

LEASE_S = 15.0
PATIENCE_S = 60.0


class OnConflict(StrEnum):
    """What to do about records of the target that the source does not have like that."""

    REFUSE = "refuse"
    """Write nothing."""
    OVERWRITE = "overwrite"
    """Make the target what the source is: what differs is replaced, what is foreign is removed."""
    SKIP = "skip"
    """Leave to the target what it has; not for credentials, two halves are no session."""

    @classmethod
    def of(cls, name: str) -> OnConflict:
        """Read a name, or raise `UsageError`."""
        if name not in list(cls):
            raise UsageError(f"on_conflict is one of {', '.join(cls)}, not {name!r}")
        return cls(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The switches of one migration."""

    scope: Scope = EVERYTHING
    on_conflict: OnConflict = OnConflict.REFUSE
    keep_source: bool = False
    """Leave a copy that refuses to open without force."""
    takeover: bool = False
    """Ask a live worker of the source to stop, and wait for it."""
    force: bool = False
    """Take a source that says it was moved away for the session nevertheless."""
    patience_s: float = PATIENCE_S
    """How long a holder of the session is waited for."""
    lease_s: float = LEASE_S
    """How long a dead run keeps the session."""

    def __post_init__(self) -> None:
        if self.patience_s < 0 or self.lease_s <= 0:
            raise UsageError("a wait is 0 seconds or more, a lease lasts longer than 0 seconds")
        if not self.scope.is_move and (self.keep_source or self.takeover or self.force):
            raise UsageError("keep_source, takeover and force are about moves, not partial copies")
