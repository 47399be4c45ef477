"""The engine contract in code: what every engine offers, and the small core an author writes.

The public methods check arguments, bound the time and keep the order of writes, once, for every
engine; the methods with a leading underscore are the ones an author fills in, and may trust what
they are given. Clause numbers refer to `wa_core.storage.clauses`.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Coroutine, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar

from wa_core.errors import (
    CorruptRecordError,
    EngineClosedError,
    EngineUnavailableError,
    InvalidPageError,
    ReadOnlyError,
    UnsupportedError,
    ValueTooLargeError,
    masked,
)
from wa_core.storage.batch import Batch, Operation, Put
from wa_core.storage.capabilities import Capabilities
from wa_core.storage.keys import check_key, check_prefix
from wa_core.storage.lease import Holder, Lease, check_holder, check_ttl
from wa_core.storage.step import Step

DEFAULT_TIMEOUT_S = 10.0

T = TypeVar("T")


Page = list[str]
"""What `list` returns; below it in the class, `list` means the method."""


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """One record as `scan` yields it."""

    key: str
    value: bytes
    at: int

    def __repr__(self) -> str:
        return f"<Entry {masked(self.key)!r}>"


class Engine(ABC):
    """The state of one session: keys to bytes, cascading deletes, newest-first lists."""

    orders_applies: ClassVar[bool] = False
    """True when `_apply` itself keeps the order of calls [W6]; else the base runs one at a time."""

    def __init__(self, capabilities: Capabilities, *, timeout: float = DEFAULT_TIMEOUT_S) -> None:
        self._capabilities = capabilities
        self._timeout = timeout
        self._closed = False
        self._turn = asyncio.Lock()

    @property
    def capabilities(self) -> Capabilities:
        """What this engine promises."""
        return self._capabilities

    @property
    def timeout(self) -> float:
        """The seconds after which a call ends in `EngineUnavailableError` [F1]."""
        return self._timeout

    # What users call.

    async def get(self, key: str) -> bytes | None:
        """Return the value of `key`, or None with proof that it is absent [G1, G2, G3]."""
        found = await self._in_time(self._get_many((check_key(key),)))
        return _checked(key, found[key]) if key in found else None

    async def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the values of those keys that are present, in one round trip [G4]."""
        wanted = tuple(dict.fromkeys(check_key(key) for key in keys))
        if not wanted:
            self._check_open()
            return {}
        found = await self._in_time(self._get_many(wanted))
        return {key: _checked(key, found[key]) for key in wanted if key in found}

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Write one value, or with None delete in cascade [W4]."""
        batch = Batch()
        if value is None:
            batch.delete(key)
        else:
            batch.put(key, value, at=at)
        await self.apply(batch)

    async def apply(self, batch: Batch, *, fence: Lease | None = None) -> None:
        """Make the batch take effect as one; with `fence`, only while it is current [W1, L3]."""
        if not isinstance(batch, Batch):
            raise TypeError(f"apply takes a Batch, not {type(batch).__name__}")
        operations = tuple(batch)
        limit = self.capabilities.max_value
        for operation in operations:
            if isinstance(operation, Put) and len(operation.value) > limit:
                raise ValueTooLargeError(len(operation.value), limit)
        self._check_writable()
        if operations or fence is not None:
            await self._in_time(self._apply_in_turn(operations, fence))

    async def list(self, prefix: str = "", offset: int = 0, limit: int | None = 50) -> Page:
        """Return a page of the keys that begin with `prefix`, newest first [O2, O4, O5]."""
        check_prefix(prefix)
        _check_page("offset", offset)
        if limit is not None:
            _check_page("limit", limit)
        if limit == 0:
            self._check_open()
            return []
        return await self._in_time(self._list(prefix, offset, limit))

    async def count(self, prefix: str = "") -> int:
        """Count the keys that begin with `prefix` [O6]."""
        return await self._in_time(self._count(check_prefix(prefix)))

    def scan(self, prefix: str = "") -> AsyncGenerator[Entry, None]:
        """Iterate all records below `prefix` in constant memory, while others write [S1]."""
        return self._step_in_time(self._scan(check_prefix(prefix)))

    def scan_many(self, prefix: str = "") -> AsyncGenerator[Sequence[Entry], None]:
        """Iterate what `scan` does, as many records at a time as the engine reads at once [S1]."""
        return self._step_in_time(self._scan_many(check_prefix(prefix)))

    async def acquire(self, holder: str, ttl: float) -> Lease:
        """Take the session's lease, or raise `LeaseHeldError` [L1]."""
        self._check_writable()
        epoch = await self._in_time(self._acquire(check_holder(holder), check_ttl(ttl)))
        return Lease(self, holder=holder, epoch=epoch, ttl=ttl)

    async def holder(self) -> Holder | None:
        """Tell who has the session now, and take nothing; `UnsupportedError` where none can."""
        return await self._in_time(self._holder())

    async def renew_lease(self, lease: Lease, ttl: float) -> None:
        """Prolong a lease; `Lease.renew` is the way to call this [L2]."""
        self._check_writable()
        await self._in_time(self._renew(lease, ttl))

    async def release_lease(self, lease: Lease) -> None:
        """End a lease; `Lease.release` is the way to call this [L2]."""
        self._check_writable()
        await self._in_time(self._release(lease))

    async def clear(self) -> None:
        """Remove everything of this session, and of no other [N2]."""
        self._check_writable()
        await self._in_time(self._clear_in_turn())

    async def close(self) -> None:
        """Let go of the backend; closing twice is no error."""
        if not self._closed:
            self._closed = True
            await self._bounded(self._close())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<{type(self).__name__} {state}, durability {self.capabilities.durability}>"

    # What an author writes.

    @abstractmethod
    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Read distinct, valid keys; leave absent ones out; raise for damaged ones."""

    @abstractmethod
    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        """Make all operations take effect in one atomic step. There is no default: a loop over
        single writes is not atomic."""

    @abstractmethod
    async def _list(self, prefix: str, offset: int, limit: int | None) -> Page:
        """Return one page in the order of O2."""

    @abstractmethod
    async def _count(self, prefix: str) -> int:
        """Count without reading values."""

    @abstractmethod
    def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        """Yield each record once; an async generator."""

    async def _scan_many(self, prefix: str) -> AsyncGenerator[Sequence[Entry], None]:
        """Yield what `_scan` does in lists of bounded size; for engines that read many at once."""
        async with aclosing(self._scan(prefix)) as source:
            async for entry in source:
                yield (entry,)

    async def _acquire(self, holder: str, ttl: float) -> int:
        """Take the lease and return its epoch."""
        raise UnsupportedError("leases")

    async def _holder(self) -> Holder | None:
        """Read who holds the lease, without a write."""
        raise UnsupportedError("a look at who holds the lease")

    async def _renew(self, lease: Lease, ttl: float) -> None:
        """Prolong the lease or raise `FencedError`."""
        raise UnsupportedError("leases")

    async def _release(self, lease: Lease) -> None:
        """End the lease if it is current."""
        raise UnsupportedError("leases")

    @abstractmethod
    async def _clear(self) -> None:
        """Remove every key of the session in one atomic step."""

    async def _close(self) -> None:  # noqa: B027 - most engines in memory have nothing to close
        """Release files, sockets and tasks."""

    # How the two meet.

    def _check_open(self) -> None:
        if self._closed:
            raise EngineClosedError

    def _check_writable(self) -> None:
        self._check_open()
        if self.capabilities.read_only:
            raise ReadOnlyError

    async def _in_time(self, call: Coroutine[Any, Any, T]) -> T:
        if self._closed:
            call.close()
            raise EngineClosedError
        return await self._bounded(call)

    async def _bounded(self, call: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._timeout):
                return await call
        except TimeoutError as exc:
            raise self._silence() from exc

    def _silence(self) -> EngineUnavailableError:
        return EngineUnavailableError(f"no answer within {self._timeout:g} s")

    async def _apply_in_turn(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        if self.orders_applies:
            await self._apply(operations, fence)
        else:
            async with self._turn:
                await self._apply(operations, fence)

    async def _clear_in_turn(self) -> None:
        if self.orders_applies:
            await self._clear()
        else:
            async with self._turn:
                await self._clear()

    async def _step_in_time(self, source: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        async with aclosing(source):
            while True:
                self._check_open()
                try:
                    step = Step(source)
                except TimeoutError as exc:
                    raise self._silence() from exc
                # Most entries are there already, and a clock for each would cost more than it.
                if not step.is_done:
                    await self._bounded(step)
                if step.entry is None:
                    return
                yield step.entry


def _check_page(name: str, value: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidPageError(name, value)


def _checked(key: str, value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    raise CorruptRecordError(key, f"the engine read {type(value).__name__} instead of bytes")
