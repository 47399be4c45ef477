"""Specimens whose bug shows in one place only, so that one check alone stands against it: work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import ClassVar

from wa_core.errors import CorruptRecordError, FencedError, LeaseHeldError
from wa_core.storage import MAX_POSITION, Batch, Delete, Entry, Lease, LeaseBook, Operation, Put
from wa_core.storage.leasebook import suspend_clock

from wa_conformance.zoo.base import Specimen, is_delete, keys_put
from wa_conformance.zoo.leases import Leasing
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


class CacheSurvivesCascade(_Caching):
    """Evicts a deleted key from its cache, but not the keys below: what was read is read again."""

    breaks = "W4"

    def _stays(self, operations: Sequence[Operation]) -> bool:
        return len(operations) == 1


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


class CountBeforeFirstWriteFails(Specimen):
    """Counts a folder in a table that the first write will create."""

    breaks = "O4"

    async def _count(self, prefix: str) -> int:
        if prefix.endswith("/") and not self.store.clock.last and not len(self.store.index):
            raise CorruptRecordError(prefix, "no such table")
        return await super()._count(prefix)


class _CountsWrites(Specimen):
    """Knows how often this object has written, and all of them together."""

    _all: ClassVar[dict[str, int]] = {}
    _own = 0

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(operations, fence)
        self._own += 1
        self._all[self.session] = self._all.get(self.session, 0) + 1

    @property
    def others(self) -> int:
        """How often other objects have written."""
        return self._all.get(self.session, 0) - self._own


class ScanEndsWhenItselfWrites(_CountsWrites):
    """Ends a scan when the same object writes: one connection, one cursor."""

    breaks = "S1"

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        before = self._own
        async for entry in super()._scan(prefix):
            if self._own > before + 20:
                return
            yield entry


class ScanEndsWhenOthersWrite(_CountsWrites):
    """Ends a scan when another object writes: the snapshot is too old."""

    breaks = "S1"

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        before = self.others
        async for entry in super()._scan(prefix):
            if self.others > before:
                return
            yield entry


class OneCursorForAllScans(Specimen):
    """Keeps the place of a scan in the object, so that a second scan moves the first one."""

    breaks = "S1"

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        await self.store.answering()
        self._after: str | None = None
        while key := next(self.store.index.keys(prefix, after=self._after), None):
            self._after = key
            yield Entry(key, self.store.read(key), self.store.index.position(key) or 0)


class SameHolderSameEpoch(Specimen):
    """Gives a holder who returns the epoch that he had: nobody was there in between."""

    breaks = "L1"
    _last: ClassVar[dict[str, str]] = {}

    async def _acquire(self, holder: str, ttl: float) -> int:
        book = self.store.leases
        book.check_free()
        if self._last.get(self.session) == holder and ttl > 1 and book.epoch == 1:
            book.epoch -= 1
        epoch = await super()._acquire(holder, ttl)
        self._last[self.session] = holder
        return epoch


class ExpiresInMilliseconds(Specimen):
    """Tells the remaining time of a lease in milliseconds."""

    breaks = "L1"

    async def _acquire(self, holder: str, ttl: float) -> int:
        try:
            return await super()._acquire(holder, ttl)
        except LeaseHeldError as exc:
            raise LeaseHeldError(exc.holder, exc.expires_in * 1000) from exc


class LeaseOfThePlace(Specimen):
    """Has one lease for all sessions that were opened under one name."""

    breaks = "L1"
    _books: ClassVar[dict[str, LeaseBook]] = {}

    def _begin(self) -> None:
        # The suite's own names have a part that all sessions of one check share.
        common = "-".join(self.session.split("-")[:2])
        self.store.leases = self._books.setdefault(common, self.store.leases)


class FenceForbidsDeletes(Specimen):
    """Takes every fenced delete for a late one."""

    breaks = "L3"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        if fence is not None and any(is_delete(each) for each in operations):
            raise FencedError(fence.epoch)
        await super()._apply(operations, fence)


class _Fencing(Leasing):
    """Lets a fenced batch pass when `_passes` says so."""

    def _passes(self, fence: Lease, operations: Sequence[Operation]) -> bool:
        raise NotImplementedError

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await self.store.answering()
        if fence is not None and not self._passes(fence, operations):
            raise FencedError(fence.epoch)
        await super()._apply(operations, None)


class ReleasedLeaseStillWrites(_Fencing):
    """Ends a lease for those who acquire, not for the fence: its time is not over."""

    breaks = "L3"

    async def _acquire(self, holder: str, ttl: float) -> int:
        epoch = await super()._acquire(holder, ttl)
        self._until = suspend_clock() + ttl
        return epoch

    def _passes(self, fence: Lease, operations: Sequence[Operation]) -> bool:
        return fence.epoch == self.book.epoch and suspend_clock() < self._until

    _until = 0.0


class ExpiredLeaseStillPuts(_Fencing):
    """Looks at a lease's time for an empty batch only: the keep-alive, it thinks."""

    breaks = "L3"

    def _passes(self, fence: Lease, operations: Sequence[Operation]) -> bool:
        fits = fence.epoch == self.book.epoch and fence.epoch != self._released
        return fits and (self.book.held or bool(keys_put(operations)))

    async def _release(self, lease: Lease) -> None:
        await super()._release(lease)
        self._released = lease.epoch

    _released = 0


SPECIMENS = (
    BatchKeepsFirstPlace,
    BatchStopsAtThousand,
    SingleReadsSeeHalf,
    OthersSeeHalf,
    CacheSurvivesCascade,
    CacheSurvivesBatch,
    SetTextIgnoresAt,
    BatchOfOneSparesChildren,
    PositionsWrapAt32Bits,
    ScanRoundsHuge,
    NegativePositionIsNow,
    ClockIsAhead,
    FutureUsesPositionsUp,
    RecreationNeverMovesDown,
    CountBeforeFirstWriteFails,
    ScanEndsWhenItselfWrites,
    ScanEndsWhenOthersWrite,
    OneCursorForAllScans,
    SameHolderSameEpoch,
    ExpiresInMilliseconds,
    LeaseOfThePlace,
    FenceForbidsDeletes,
    ReleasedLeaseStillWrites,
    ExpiredLeaseStillPuts,
)
