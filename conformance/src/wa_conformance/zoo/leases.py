"""Specimens of chapter L: leases that two hold at once, and fences that let the late through."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from wa_core.errors import FencedError, LeaseHeldError, StorageError
from wa_core.storage import Lease, LeaseBook, MemoryStore, Operation
from wa_core.storage.leasebook import suspend_clock

from wa_conformance.zoo.base import Specimen


class Book(LeaseBook):
    """A lease book that a specimen can look into."""

    @property
    def held(self) -> bool:
        """Tell whether a lease runs."""
        return self._expires_at > self._now()

    def expire(self) -> None:
        """End the lease that runs."""
        self._expires_at = float("-inf")


class BookStore(MemoryStore):
    """A store whose lease book can be looked into."""

    def __init__(self) -> None:
        super().__init__()
        self.leases: Book = Book()


class Leasing(Specimen):
    """Leases in a book that can be looked into."""

    store_type = BookStore
    store: BookStore

    @property
    def book(self) -> Book:
        """The session's lease book."""
        return self.store.leases


class LeaseNotExclusive(Leasing):
    """Gives a second lease while the first one runs: a token stored, never compared."""

    breaks = "L1"

    async def _acquire(self, holder: str, ttl: float) -> int:
        self.book.expire()
        return await super()._acquire(holder, ttl)


class LeaseSharedByName(Leasing):
    """Lets the same name in twice: two workers started with one configuration."""

    breaks = "L1"

    async def _acquire(self, holder: str, ttl: float) -> int:
        if self.book.held and self.book._holder == holder:
            return self.book.epoch
        return await super()._acquire(holder, ttl)


class LeaseCheckThenTake(Leasing):
    """Looks whether the lease is free, and takes it in a second step."""

    breaks = "L1"

    async def _acquire(self, holder: str, ttl: float) -> int:
        self.book.check_free()
        await asyncio.sleep(0)
        self.book.expire()
        return await super()._acquire(holder, ttl)


class LeaseEpochRepeats(Leasing):
    """Gives every lease the same epoch."""

    breaks = "L1"

    async def _acquire(self, holder: str, ttl: float) -> int:
        self.book.check_free()
        self.book.epoch = 0
        return await super()._acquire(holder, ttl)


class EpochEndsWithLease(Leasing):
    """Deletes the lease's record on release, and counts from 1 again: DEL in Redis."""

    breaks = "L1"

    async def _release(self, lease: Lease) -> None:
        await super()._release(lease)
        if not self.book.held:
            self.book.epoch = 0


class EpochClearedWithSession(Leasing):
    """Forgets the epoch when the session is cleared, so that a late holder fits again."""

    breaks = "L1"

    async def _clear(self) -> None:
        await super()._clear()
        self.book.epoch = 0


class HolderNotNamed(Leasing):
    """Says that the lease is held, but not by whom nor for how long."""

    breaks = "L1"

    async def _acquire(self, holder: str, ttl: float) -> int:
        try:
            return await super()._acquire(holder, ttl)
        except LeaseHeldError as exc:
            raise LeaseHeldError("", 0.0) from exc


class LeaseHeldIsSomeError(Leasing):
    """Says `StorageError` when the lease is held."""

    breaks = "L1"

    async def _acquire(self, holder: str, ttl: float) -> int:
        try:
            return await super()._acquire(holder, ttl)
        except LeaseHeldError as exc:
            raise StorageError("lock not acquired") from exc


class LeaseNeverExpires(Leasing):
    """Holds a lease until it is released: its holder's death is for ever."""

    breaks = "L2"

    async def _acquire(self, holder: str, ttl: float) -> int:
        return await super()._acquire(holder, 10**6)


class LeaseExpiresTooSoon(Leasing):
    """Takes seconds for milliseconds."""

    breaks = "L2"

    async def _acquire(self, holder: str, ttl: float) -> int:
        return await super()._acquire(holder, ttl / 1000)


class RenewDoesNotProlong(Leasing):
    """Checks a lease on renewal, but leaves its end where it was."""

    breaks = "L2"

    async def _renew(self, lease: Lease, ttl: float) -> None:
        await self.store.answering()
        self.book.check_current(lease.epoch)


class RenewOfLostIsSilent(Leasing):
    """Renews a lost lease without an error: the loser goes on working."""

    breaks = "L2"

    async def _renew(self, lease: Lease, ttl: float) -> None:
        await self.store.answering()
        if lease.epoch == self.book.epoch:
            self.book.renew(lease.epoch, ttl)


class RenewRevivesLostLease(Leasing):
    """Takes the lease back from its new holder when the old one renews: SET with no compare."""

    breaks = "L2"

    async def _renew(self, lease: Lease, ttl: float) -> None:
        await self.store.answering()
        self.book.epoch = lease.epoch
        self.book.expire()
        self.book._expires_at = suspend_clock() + ttl


class RenewRevivesExpiredLease(Leasing):
    """Revives a lease that ran out and that nobody took: the fence was down in between."""

    breaks = "L2"

    async def _renew(self, lease: Lease, ttl: float) -> None:
        await self.store.answering()
        if lease.epoch != self.book.epoch or lease.epoch == self._released:
            raise FencedError(lease.epoch)
        self.book._expires_at = suspend_clock() + ttl

    async def _release(self, lease: Lease) -> None:
        await super()._release(lease)
        self._released = lease.epoch

    _released = 0


class ReleaseKeepsHolding(Leasing):
    """Ignores a release: the next holder waits for the end of the time."""

    breaks = "L2"

    async def _release(self, lease: Lease) -> None:
        await self.store.answering()


class ReleaseByAnyone(Leasing):
    """Ends whatever lease runs, also when a former holder releases his: DEL without compare."""

    breaks = "L2"

    async def _release(self, lease: Lease) -> None:
        await self.store.answering()
        self.book.expire()


class ReleaseTwiceRaises(Leasing):
    """Raises when a lease is released that is over."""

    breaks = "L2"

    async def _release(self, lease: Lease) -> None:
        self.book.check_current(lease.epoch)
        await super()._release(lease)


class _OwnFence(Leasing):
    """Checks fences its own way, in `_checked`."""

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await self.store.answering()
        if fence is None:
            await super()._apply(operations, None)
        else:
            await self._fenced(lambda: self._write(operations), fence)

    async def _fenced(self, write: Callable[[], None], fence: Lease) -> None:
        raise NotImplementedError

    def _write(self, operations: Sequence[Operation]) -> None:
        step = super()._apply(operations, None)
        try:
            step.send(None)
        except StopIteration:
            return
        raise AssertionError("a store in memory does not wait")


class FenceIgnored(_OwnFence):
    """Accepts a fence and looks at it no further."""

    breaks = "L3"

    async def _fenced(self, write: Callable[[], None], fence: Lease) -> None:
        write()


class ExpiredLeaseStillWrites(_OwnFence):
    """Compares epochs but not the time: a process woken up after an hour writes."""

    breaks = "L3"

    async def _fenced(self, write: Callable[[], None], fence: Lease) -> None:
        if fence.epoch != self.book.epoch:
            raise FencedError(fence.epoch)
        write()


class FenceByHolder(_OwnFence):
    """Compares names instead of epochs: an earlier life of the same worker writes."""

    breaks = "L3"

    async def _fenced(self, write: Callable[[], None], fence: Lease) -> None:
        if not self.book.held or fence.holder != self.book._holder:
            raise FencedError(fence.epoch)
        write()


class FenceComparesAtLeast(_OwnFence):
    """Lets any epoch through that is not greater than the current one."""

    breaks = "L3"

    async def _fenced(self, write: Callable[[], None], fence: Lease) -> None:
        if not self.book.held or fence.epoch > self.book.epoch:
            raise FencedError(fence.epoch)
        write()


class FenceWritesThenRaises(_OwnFence):
    """Writes, looks at the fence, and complains about what is done."""

    breaks = "L3"

    async def _fenced(self, write: Callable[[], None], fence: Lease) -> None:
        write()
        self.book.check_current(fence.epoch)


class FenceSilent(_OwnFence):
    """Drops a late batch without an error: its writer believes it was kept."""

    breaks = "L3"

    async def _fenced(self, write: Callable[[], None], fence: Lease) -> None:
        if self.book.held and fence.epoch == self.book.epoch:
            write()


class FencedIsSomeError(_OwnFence):
    """Says `StorageError` to a late writer, who tries again."""

    breaks = "L3"

    async def _fenced(self, write: Callable[[], None], fence: Lease) -> None:
        try:
            self.book.check_current(fence.epoch)
        except FencedError as exc:
            raise StorageError("write rejected") from exc
        write()


class FenceCheckedOutsideStep(_OwnFence):
    """Checks the fence first and writes in a second step; in between the lease may move on."""

    breaks = "L3"
    orders_applies = True

    async def _fenced(self, write: Callable[[], None], fence: Lease) -> None:
        self.book.check_current(fence.epoch)
        # The way to the store takes longer for one host than for the next.
        for _ in range(fence.epoch % 2 * 6):
            await asyncio.sleep(0)
        write()


class FenceOnlyForBatches(_OwnFence):
    """Checks the fence of an empty batch never: there is nothing to write, it thinks."""

    breaks = "L3"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(operations, fence if operations else None)

    async def _fenced(self, write: Callable[[], None], fence: Lease) -> None:
        self.book.check_current(fence.epoch)
        write()


SPECIMENS = (
    LeaseNotExclusive,
    LeaseSharedByName,
    LeaseCheckThenTake,
    LeaseEpochRepeats,
    EpochEndsWithLease,
    EpochClearedWithSession,
    HolderNotNamed,
    LeaseHeldIsSomeError,
    LeaseNeverExpires,
    LeaseExpiresTooSoon,
    RenewDoesNotProlong,
    RenewOfLostIsSilent,
    RenewRevivesLostLease,
    RenewRevivesExpiredLease,
    ReleaseKeepsHolding,
    ReleaseByAnyone,
    ReleaseTwiceRaises,
    FenceIgnored,
    ExpiredLeaseStillWrites,
    FenceByHolder,
    FenceComparesAtLeast,
    FenceWritesThenRaises,
    FenceSilent,
    FencedIsSomeError,
    FenceCheckedOutsideStep,
    FenceOnlyForBatches,
)
