"""Specimens whose bug shows in one place only, so that one check alone stands against it: work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import ClassVar

from wa_core.errors import CorruptRecordError
from wa_core.storage import MAX_POSITION, Batch, Delete, Entry, Lease, Operation, Put

from wa_conformance.zoo.base import Specimen, is_delete
from wa_conformance.zoo.order import OwnOrder, OwnPositions


class BatchKeepsFirstPlace(Specimen):
    """Collects the puts of a batch in a dictionary: the last value, at the place of the first."""

    breaks = "W1"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        if not any(is_delete(each) for each in operations):
            operations = tuple({each.key: each for each in operations}.values())
        await super()._apply(operations, fence)


class BatchStopsAtThousand(Specimen):
    """Sends the first thousand operations of a batch: the limit of MongoDB's old bulk writes."""

    breaks = "W1"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(operations[:1000], fence)


class _Piecemeal(Specimen):
    """Applies a batch in two steps under a lock of the session, which some readers ignore."""

    _locks: ClassVar[dict[str, asyncio.Lock]] = {}

    @property
    def _lock(self) -> asyncio.Lock:
        return self._locks.setdefault(self.session, asyncio.Lock())

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        async with self._lock:
            half = len(operations) // 2
            await super()._apply(operations[:half], fence)
            try:
                for _ in range(40 if half else 0):
                    await asyncio.sleep(0)
            finally:
                await super()._apply(operations[half:], None)

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        async with self._lock:
            return await super()._list(prefix, offset, limit)


class SingleReadsSeeHalf(_Piecemeal):
    """Shows half a batch to `get`, which does not wait for the lock that all other calls take."""

    breaks = "W1"

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        if len(keys) == 1 and self._writes:
            return await super()._get_many(keys)
        async with self._lock:
            return await super()._get_many(keys)

    _writes = False

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        self._writes = True
        await super()._apply(operations, fence)


class OthersSeeHalf(_Piecemeal):
    """Shows half a batch to other objects on the session: the lock is the object's own."""

    breaks = "W1"

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        if not self._writes:
            return await super()._get_many(keys)
        async with self._lock:
            return await super()._get_many(keys)

    _writes = False

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        self._writes = True
        await super()._apply(operations, fence)


class _Caching(Specimen):
    """Remembers, for all objects, what was read; `_stays` says what a delete forgets to evict."""

    _caches: ClassVar[dict[str, dict[str, bytes]]] = {}

    def _stays(self, operations: Sequence[Operation]) -> bool:
        raise NotImplementedError

    @property
    def _cache(self) -> dict[str, bytes]:
        return self._caches.setdefault(self.session, {})

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found = await super()._get_many(keys)
        stale = {key: self._cache[key] for key in keys if key in self._cache}
        self._cache.update(found)
        return stale | found

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(operations, fence)
        for each in operations:
            self._cache.pop(each.key, None)
            if not self._stays(operations):
                for key in [key for key in self._cache if key.startswith(f"{each.key}/")]:
                    del self._cache[key]

    async def _clear(self) -> None:
        await super()._clear()
        self._cache.clear()


class CacheSurvivesBatch(_Caching):
    """Evicts the keys below a deleted one, but not when the delete stands in a batch."""

    breaks = "W1"

    def _stays(self, operations: Sequence[Operation]) -> bool:
        return len(operations) > 1


class SetTextIgnoresAt(Specimen):
    """Forgets `at` when the value is a text: an overload that was forgotten."""

    breaks = "W4"

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Write text as of now."""
        await super().set(key, value, at=None if isinstance(value, str) else at)


class BatchOfOneSparesChildren(Specimen):
    """Cascades in `set(key, None)`, but not for a batch of one delete at the root."""

    breaks = "W4"
    _setting = False

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Write or cascade."""
        self._setting = True
        try:
            await super().set(key, value, at=at)
        finally:
            self._setting = False

    async def apply(self, batch: Batch, *, fence: Lease | None = None) -> None:
        """Apply; a lone delete removes one record."""
        only = next(iter(batch)) if len(batch) == 1 else None
        at_root = isinstance(only, Delete) and "/" not in only.key
        if isinstance(only, Delete) and at_root and not self._setting and fence is None:
            if self.store.index.discard(only.key):
                del self.store.values[only.key]
            return
        await super().apply(batch, fence=fence)


class PositionsWrapAt32Bits(OwnOrder):
    """Orders small positions by their lower 32 bits."""

    breaks = "O1"

    def ordered(self, keys: list[str]) -> list[str]:
        """Compare what is left of the numbers."""
        return sorted(keys, key=lambda key: (-self._cut(self.at(key)), key))

    def _cut(self, at: int) -> int:
        return at % 2**32 if at < 2**40 else at


class ScanRoundsHuge(Specimen):
    """Shows the greatest positions one too high: rounded to odd, as a careless packing does."""

    breaks = "O1"

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        async for entry in super()._scan(prefix):
            at = entry.at | 1 if entry.at >= 2**52 else entry.at
            yield Entry(entry.key, entry.value, at)


class NegativePositionIsNow(Specimen):
    """Takes a negative position for none."""

    breaks = "O1"

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Write as of now when the position is senseless."""
        await super().set(key, value, at=None if at == -1 else at)


class ClockIsAhead(OwnPositions):
    """Takes local time for UTC: positions two hours ahead."""

    breaks = "O1"

    def position(self, operation: Put) -> int | None:
        """Give the time of another zone."""
        if operation.at is not None:
            return operation.at
        return self.store.clock.next() + 2 * 3_600_000_000


class FutureUsesPositionsUp(Specimen):
    """Counts on from explicit positions too: after the greatest one there is none left."""

    breaks = "O1"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(operations, fence)
        for each in operations:
            if isinstance(each, Put) and each.at == MAX_POSITION:
                self.store.clock.last = MAX_POSITION


class RecreationNeverMovesDown(OwnPositions):
    """Remembers where a deleted key stood, and puts it no lower when it returns."""

    breaks = "O3"
    _stood: ClassVar[dict[tuple[str, str], int]] = {}

    def position(self, operation: Put) -> int | None:
        """Return to the old place if it was higher."""
        place = (self.session, operation.key)
        new = operation.key not in self.store.values
        at = operation.at
        if at is not None:
            at = max(at, self._stood.get(place, 0)) if new else at
            self._stood[place] = at
        return at


class UndatedByArrival(OwnOrder):
    """Takes the first positions for no date, and lists their ties in the order of arrival."""

    breaks = "O2"

    def ordered(self, keys: list[str]) -> list[str]:
        """Sort what is dated as it must be."""
        arrived = {key: n for n, key in enumerate(self.store.values)}
        dated = [key for key in keys if self.at(key) >= 100]
        undated = [key for key in keys if self.at(key) < 100]
        return dated + sorted(undated, key=lambda key: (-self.at(key), arrived[key]))


class UndatedPagesShuffle(OwnOrder):
    """Lists ties of many old records in another order with every call: no second sort column."""

    breaks = "O5"
    _over = False

    def ordered(self, keys: list[str]) -> list[str]:
        """Turn ties over."""
        if len(keys) < 100 or self.at(keys[-1]) >= 1000:
            return keys
        self._over = not self._over
        turned = sorted(keys, reverse=self._over)
        return sorted(turned, key=lambda key: -self.at(key))


class CountBeforeFirstWriteFails(Specimen):
    """Counts a folder in a table that the first write will create."""

    breaks = "O4"

    async def _count(self, prefix: str) -> int:
        if prefix.endswith("/") and not self.store.clock.last and not len(self.store.index):
            raise CorruptRecordError(prefix, "no such table")
        return await super()._count(prefix)


SPECIMENS = (
    BatchKeepsFirstPlace,
    BatchStopsAtThousand,
    SingleReadsSeeHalf,
    OthersSeeHalf,
    CacheSurvivesBatch,
    SetTextIgnoresAt,
    BatchOfOneSparesChildren,
    PositionsWrapAt32Bits,
    ScanRoundsHuge,
    NegativePositionIsNow,
    ClockIsAhead,
    FutureUsesPositionsUp,
    RecreationNeverMovesDown,
    UndatedByArrival,
    UndatedPagesShuffle,
    CountBeforeFirstWriteFails,
)
