"""What one kind of database must do for the engine, statement by statement.

The idea: the engine speaks in keys and changes, a dialect in the statements of its database and
its driver. Each method is one call on one connection; what needs a transaction opens and ends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from wa_core.errors import WaError
from wa_core.storage import Durability

from wa_engine_sql.change import Change
from wa_engine_sql.relay import Leg

FORMAT = 1
"""The version of tables and rows that this package writes [N3]."""

LARGE = 16 * 1024
"""A scan fetches larger values one by one, so that its memory stays bounded [S1]."""


class Line(Protocol):
    """A connection of the driver's, borrowed for one call."""

    @property
    def driver(self) -> Any:
        """The driver's own connection."""


class Row(NamedTuple):
    """A record as the database has it; nothing of it is believed yet. A scan makes a million."""

    key: bytes
    npos: Any
    crc: Any
    value: Any
    size: int | None = None
    """The size of a value that was left out for being large."""

    def __repr__(self) -> str:
        return "<Row>"


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked for by whoever opened the place."""

    durability: Durability | None = None
    timeout: float = 10.0
    read_only: bool = False


class Dialect(Protocol):
    """One kind of database."""

    name: str
    """As people call it, for messages."""
    one_writer: bool
    """Writes go over a single connection."""

    def meaning(self, error: BaseException) -> WaError | None:
        """Say what an error of the driver means; None when it is not the driver's [F2]."""

    async def prepare(self, line: Line) -> None:
        """Make a connection ours: timeouts, durability."""

    async def restore(self, line: Line) -> None:
        """Undo `prepare` for a connection that goes back to somebody else's pool."""

    async def hang_up(self, line: Line) -> None:
        """Close a connection of ours and wait for its end."""

    def usable(self, line: Line, error: BaseException | None) -> bool:
        """Tell whether a connection may be used again after a call that ended so [X1]."""

    def abort(self, line: Line) -> None:
        """Cut a connection at once; nothing is awaited."""

    async def install(self, line: Line) -> None:
        """Make the tables, or bring them up to this version; many may try at once."""

    async def version(self, line: Line, session: bytes) -> int | None:
        """Return the version that wrote the tables or the session; None when there are none."""

    async def durability(self, line: Line) -> Durability:
        """Return the level that was asked for or that the settings give, or refuse [D1, D2]."""

    async def get_many(self, line: Line, session: bytes, keys: Sequence[bytes]) -> list[Row]:
        """Read records in one moment."""

    async def page(
        self, line: Line, session: bytes, prefix: bytes, offset: int, limit: int | None
    ) -> list[bytes]:
        """Read keys in the order of O2."""

    async def count(self, line: Line, session: bytes, prefix: bytes) -> int:
        """Count keys."""

    async def chunk(
        self, line: Line, session: bytes, start: bytes, end: bytes, limit: int
    ) -> list[Row]:
        """Read records in the order of their keys, from `start` up to but not `end`."""

    async def apply(
        self, line: Line, session: bytes, change: Change, epoch: int | None, leg: Leg
    ) -> None:
        """Make a change in one transaction; with an epoch, only while its lease is current.

        The next may be let in before the answer; what is ahead may be under way if it did so.
        """

    async def clear(self, line: Line, session: bytes) -> None:
        """Remove all records of the session."""

    async def acquire(self, line: Line, session: bytes, holder: str, ttl: float) -> int:
        """Take the lease."""

    async def holder(self, line: Line, session: bytes) -> tuple[str, int] | None:
        """Read who holds the lease, and the microseconds that are left of it."""

    async def renew(self, line: Line, session: bytes, epoch: int, ttl: float) -> None:
        """Prolong the lease."""

    async def release(self, line: Line, session: bytes, epoch: int) -> None:
        """End the lease."""

    async def sessions(self, line: Line) -> list[bytes]:
        """Name the sessions that hold records."""
