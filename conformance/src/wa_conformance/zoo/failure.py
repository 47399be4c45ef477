"""Specimens of chapters F and X: calls that never end, driver errors, and what a cancel leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from wa_core.errors import (
    CorruptRecordError,
    EngineClosedError,
    EngineUnavailableError,
    StorageError,
)
from wa_core.storage import Entry, Lease, Operation
from wa_core.storage.step import Step

from wa_conformance.zoo.base import Specimen, keys_put

T = TypeVar("T")


class HangsForever(Specimen):
    """Waits for a silent backend without an end: a driver's default."""

    breaks = "F1"

    async def _in_time(self, call: Coroutine[Any, Any, T]) -> T:
        return await call


def _name(call: object) -> str:
    return str(getattr(call, "__name__", ""))


class HangsOnWrites(Specimen):
    """Bounds its reads in time, but not its writes."""

    breaks = "F1"

    async def _in_time(self, call: Coroutine[Any, Any, T]) -> T:
        if _name(call) in ("_apply_in_turn", "_clear_in_turn"):
            return await call
        return await super()._in_time(call)


class HangsInScan(Specimen):
    """Bounds the time of every call but the steps of a scan."""

    breaks = "F1"

    async def _bounded(self, call: Awaitable[T]) -> T:
        if isinstance(call, Step):
            return await call
        return await super()._bounded(call)


class HangsInAcquire(Specimen):
    """Waits for a lease as long as it takes."""

    breaks = "F1"

    async def _in_time(self, call: Coroutine[Any, Any, T]) -> T:
        if _name(call) == "_acquire":
            return await call
        return await super()._in_time(call)


class NeverRecovers(Specimen):
    """Stays broken after one timeout: the connection that failed is used for ever."""

    breaks = "F1"
    _broken = False

    async def _in_time(self, call: Coroutine[Any, Any, T]) -> T:
        if self._broken:
            call.close()
            raise EngineUnavailableError("the connection is broken")
        try:
            return await super()._in_time(call)
        except EngineUnavailableError:
            self._broken = True
            raise


class TimeoutErrorLeaks(Specimen):
    """Lets asyncio's TimeoutError out of the package."""

    breaks = "F2"

    async def _in_time(self, call: Coroutine[Any, Any, T]) -> T:
        async with asyncio.timeout(self.timeout):
            return await call


class DriverErrorLeaks(Specimen):
    """Lets the driver's ConnectionError out of the package."""

    breaks = "F2"

    async def _in_time(self, call: Coroutine[Any, Any, T]) -> T:
        try:
            return await super()._in_time(call)
        except EngineUnavailableError as exc:
            raise ConnectionError("connection refused") from exc


class DecoderErrorLeaks(Specimen):
    """Lets the decoder's error out of the package when a record is damaged."""

    breaks = "F2"

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        try:
            return await super()._get_many(keys)
        except CorruptRecordError as exc:
            raise EOFError("expecting value") from exc


class UnavailableButFinal(EngineUnavailableError):
    """Says of itself that trying again is of no use."""

    code = "oops"
    retryable = False


class UnavailableIsFinal(Specimen):
    """Raises an error of its own, with another code and not retryable, when nobody answers."""

    breaks = "F2"

    async def _in_time(self, call: Coroutine[Any, Any, T]) -> T:
        try:
            return await super()._in_time(call)
        except EngineUnavailableError as exc:
            raise UnavailableButFinal from exc


class UsableAfterClose(Specimen):
    """Answers after it was closed, until its pool is collected."""

    breaks = "F2"

    async def close(self) -> None:
        """Close nothing."""


class CloseTwiceRaises(Specimen):
    """Raises when it is closed a second time."""

    breaks = "F2"

    async def close(self) -> None:
        """Close once."""
        if self._closed:
            raise EngineClosedError
        await super().close()


class CancelHalfApplies(Specimen):
    """Shows a batch to nobody until it is complete, but leaves half of it when it is cancelled."""

    breaks = "X1"
    orders_applies = False

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        for operation in operations:
            await super()._apply((operation,), fence)
            await asyncio.sleep(0)

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        async with self._turn:
            return await super()._get_many(keys)

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        async with self._turn:
            return await super()._list(prefix, offset, limit)


class CancelLeaksLock(Specimen):
    """Takes a lock by hand and does not give it back when it is cancelled."""

    breaks = "X1"
    orders_applies = True

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await self._turn.acquire()
        await asyncio.sleep(0)
        await super()._apply(operations, fence)
        self._turn.release()


class CancelledReadLeaksLock(Specimen):
    """Does not give a connection back when a read is cancelled."""

    breaks = "X1"

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        await self._turn.acquire()
        await asyncio.sleep(0)
        self._turn.release()
        return await super()._get_many(keys)


class CancelledListLeaksLock(Specimen):
    """Does not give a connection back when a list is cancelled."""

    breaks = "X1"

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        await self._turn.acquire()
        await asyncio.sleep(0)
        self._turn.release()
        return await super()._list(prefix, offset, limit)


class CancelClosesEngine(Specimen):
    """Is closed by a cancel: the one connection was in an unknown state."""

    breaks = "X1"
    orders_applies = True

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self._closed = True
            raise
        await super()._apply(operations, fence)


class CancelledWriteLandsLater(Specimen):
    """Goes on with a cancelled write in the background, after newer ones: a shielded thread."""

    breaks = "X1"
    orders_applies = True

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        write = super()._apply
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            for wait in (0.0, 0.01):
                asyncio.get_running_loop().call_later(wait, _run, lambda: write(operations, fence))
            raise
        await write(operations, fence)


def _run(step: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with suppress(StopIteration):
        step().send(None)


class CancelSwallowed(Specimen):
    """Swallows a cancel and goes on, so that its caller's timeout has no effect."""

    breaks = "X1"
    orders_applies = True

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        await super()._apply(operations, fence)


class AbandonedScanHoldsLock(Specimen):
    """Holds the writers' lock while a scan is open, and for ever when it is left half way."""

    breaks = "X1"
    orders_applies = True

    async def scan(self, prefix: str = "") -> AsyncGenerator[Entry, None]:
        """Scan under a lock that only the last step gives back."""
        await self._turn.acquire()
        async for entry in super().scan(prefix):
            yield entry
        self._turn.release()

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        async with self._turn:
            await super()._apply(operations, fence)


class CancelledAcquireKeepsLease(Specimen):
    """Leaves a lease that nobody knows of when `acquire` is cancelled, for ten years."""

    breaks = "X1"

    async def _acquire(self, holder: str, ttl: float) -> int:
        epoch = await super()._acquire(holder, ttl)
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.store.leases.renew(epoch, 10 * 365 * 86_400.0)
            raise
        return epoch


class OneTaskOnly(Specimen):
    """Raises when a second task calls while the first one waits: one connection, no lock."""

    breaks = "X2"
    _busy = False

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        if self._busy:
            raise StorageError("another operation is in progress")
        self._busy = True
        try:
            await asyncio.sleep(0)
            return await super()._get_many(keys)
        finally:
            self._busy = False


class LosesIndexLines(Specimen):
    """Reads the index, changes it and writes it back: 31 of 32 concurrent lines lost."""

    breaks = "X2"
    orders_applies = True

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        before = set(self.store.index.keys())
        await asyncio.sleep(0)
        others = set(self.store.index.keys()) - before
        await super()._apply(operations, fence)
        if keys_put(operations):
            for key in others:
                self.store.index.discard(key)


class SharedBuffer(Specimen):
    """Reads a single key into a buffer of the object, which two tasks fill at once."""

    breaks = "X2"

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        if len(keys) > 1:
            return await super()._get_many(keys)
        self._buffer = await super()._get_many(keys)
        await asyncio.sleep(0)
        return self._buffer

    _buffer: dict[str, bytes]


SPECIMENS = (
    HangsForever,
    HangsOnWrites,
    HangsInScan,
    HangsInAcquire,
    NeverRecovers,
    TimeoutErrorLeaks,
    DriverErrorLeaks,
    DecoderErrorLeaks,
    UnavailableIsFinal,
    UsableAfterClose,
    CloseTwiceRaises,
    CancelHalfApplies,
    CancelLeaksLock,
    CancelledReadLeaksLock,
    CancelledListLeaksLock,
    CancelClosesEngine,
    CancelledWriteLandsLater,
    CancelSwallowed,
    AbandonedScanHoldsLock,
    CancelledAcquireKeepsLease,
    OneTaskOnly,
    LosesIndexLines,
    SharedBuffer,
)
