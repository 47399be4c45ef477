"""Specimens whose bug shows in one place only, so that one check sees it: scans and leases."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import ClassVar

from wa_core.errors import FencedError, LeaseHeldError
from wa_core.storage import Entry, Lease, LeaseBook, Operation
from wa_core.storage.leasebook import suspend_clock

from wa_conformance.zoo.base import Specimen, is_delete, keys_put
from wa_conformance.zoo.leases import Leasing


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
