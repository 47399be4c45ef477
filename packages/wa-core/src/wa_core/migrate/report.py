"""What came of a migration."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The facts of one finished run; URLs are shown without secrets."""

    source: str
    target: str
    outcome: str
    """`moved`, `finished` (an earlier run had decided), `copied` (a part) or `would move/copy`."""
    records: int = 0
    """What the source had, all of it proven to be in the target."""
    size: int = 0
    """The bytes of their keys and values."""
    copied: int = 0
    present: int = 0
    """There already and equal."""
    skipped: int = 0
    """Left to the target as it had them."""
    pruned: int = 0
    """Removed from the target, as the source does not have them."""
    removed: int = 0
    """Removed from the source after the decision."""
    kept: bool = False
    """The source still holds a copy, which refuses to open."""
    digest: str = ""
    """One SHA-256 over all records, the same on both sides."""
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the facts for JSON."""
        return asdict(self)
