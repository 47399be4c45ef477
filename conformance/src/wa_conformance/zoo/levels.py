"""Specimens that claim the core only, and are half there where they claim nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import ClassVar

from wa_core.errors import UnsupportedError
from wa_core.storage import (
    Entry,
    Lease,
    MemoryStore,
    Operation,
    Put,
    ThreeMethodEngine,
)

from wa_conformance.zoo.base import TIMEOUT_S, Breakable


class CoreSpecimen(ThreeMethodEngine, Breakable):
    """The healthy engine of three methods: gets, sets and lists."""

    _places: ClassVar[dict[tuple[type, str], MemoryStore]] = {}

    def __init__(self, session: str, *, timeout: float | str = TIMEOUT_S) -> None:
        super().__init__(timeout=float(timeout))
        self.store = self._places.setdefault((type(self), session), MemoryStore())

    async def read(self, key: str) -> bytes | None:
        """Look one key up."""
        await self.store.answering()
        return self.store.read(key) if key in self.store.values else None

    async def write(self, key: str, value: bytes | None, at: int | None) -> None:
        """Write one key, or delete in cascade."""
        await self.store.answering()
        if value is None:
            self.store.cascade(key)
        else:
            self.store.put(key, value, at)

    async def page(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        """List one page."""
        await self.store.answering()
        return self.store.index.page(prefix, offset, limit)

    def damage(self, key: str) -> None:
        """Make the record of `key` unreadable."""
        self.store.damage(key)

    def stall(self) -> None:
        """Answer no call until `resume`."""
        self.store.stall()

    def resume(self) -> None:
        """Answer again."""
        self.store.resume()

    def residue(self) -> list[str]:
        """Name the values and the index rows of the session."""
        return sorted({*self.store.values, *self.store.index.keys()})


class UnclaimedBatchLoops(CoreSpecimen):
    """Claims no batches, and takes one apart into single writes: atomic in its docstring only."""

    breaks = "W1"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        for operation in operations:
            await super()._apply((operation,), fence)


class UnclaimedBatchBegins(CoreSpecimen):
    """Refuses a batch after its first operation has been written."""

    breaks = "W1"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(operations[:1], fence)
        if len(operations) > 1:
            raise UnsupportedError("batches of more than one operation")


class UnclaimedFenceIgnored(CoreSpecimen):
    """Claims no leases, and writes a fenced batch as if it had no fence."""

    breaks = "L3"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(operations, None)


class UnclaimedLeaseGranted(CoreSpecimen):
    """Claims no leases, and gives one to everybody who asks."""

    breaks = "L1"

    async def _acquire(self, holder: str, ttl: float) -> int:
        return 1


class UnclaimedScanEmpty(CoreSpecimen):
    """Claims no scan, and yields nothing: a copy of the store would be empty."""

    breaks = "S1"

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        for entry in list[Entry]():
            yield entry


class UnclaimedScanByPages(CoreSpecimen):
    """Claims no scan, and makes one up from its list, without positions."""

    breaks = "S1"

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        for key in await self.page(prefix, 0, None):
            yield Entry(key, await self.read(key) or b"", 0)


class UnclaimedRefusedRudely(CoreSpecimen):
    """Refuses what it does not claim with an error of Python's."""

    breaks = "W1"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        if len(operations) > 1 and all(isinstance(each, Put) for each in operations):
            raise NotImplementedError("batches")
        await super()._apply(operations, fence)


SPECIMENS = (
    UnclaimedBatchLoops,
    UnclaimedBatchBegins,
    UnclaimedFenceIgnored,
    UnclaimedLeaseGranted,
    UnclaimedScanEmpty,
    UnclaimedScanByPages,
    UnclaimedRefusedRudely,
)
