"""What can be said of a seal without any key."""

from __future__ import annotations

from dataclasses import dataclass

from wa_core.seal.engine import sealed_in
from wa_core.seal.head import HEAD_KEY, Head
from wa_core.storage import Engine
from wa_core.storage.position import wall_clock_us

ROTATE_AFTER_DAYS = 90
_DAY_US = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Description:
    """The public part of a head."""

    session: str
    """The random id of the session, in hex: what binds its records to it."""
    has_passphrase: bool
    """Whether its key is made from words, and not 32 random bytes."""
    generation: int
    """Of the data key that seals."""
    made_at: int
    """When that key was made, in microseconds since 1970."""
    is_rotating: bool
    """Whether a rotation was begun and not finished: run it again."""

    @property
    def is_due(self) -> bool:
        """Tell whether the data key is old enough to be changed."""
        return wall_clock_us() - self.made_at > ROTATE_AFTER_DAYS * _DAY_US


async def describe(engine: Engine) -> Description | None:
    """Read the seal of a store that was opened with its key or without; None: it has none."""
    sealed = sealed_in(engine)
    data = await (engine if sealed is None else sealed.inner).get(HEAD_KEY)
    if data is None:
        return None
    head = Head.from_bytes(data)
    return Description(
        session=head.session.hex(),
        has_passphrase=head.derivation.cost is not None,
        generation=head.keys[-1].generation,
        made_at=head.keys[-1].made_at,
        is_rotating=len(head.keys) > 1,
    )
