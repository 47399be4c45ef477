"""The memory engine: the contract at its plainest, and a test double with faults on demand.

Every operation runs without an await, so it is atomic by itself; what is left is the contract's
own logic, easy to read next to its clauses. `MemoryStore.damage` and `stall` let a test see how a
program behaves when a record is corrupt or a backend silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from itertools import islice
from typing import ClassVar

from wa_core.errors import CorruptRecordError, EngineConfigError, StoreVersionError
from wa_core.storage.batch import Operation, Put
from wa_core.storage.capabilities import Capabilities, Durability
from wa_core.storage.clauses import CONTRACT_VERSION, FULL
from wa_core.storage.engine import DEFAULT_TIMEOUT_S, Engine, Entry
from wa_core.storage.lease import Holder, Lease
from wa_core.storage.leasebook import LeaseBook
from wa_core.storage.ordered import OrderedIndex
from wa_core.storage.position import PositionClock
from wa_core.storage.provider import Provider
from wa_core.storage.url import EngineUrl

SCAN_CHUNK = 256

CAPABILITIES = Capabilities(
    durability=Durability.VOLATILE,
    shared=True,
    max_value=64 * 1024 * 1024,
    claims=FULL - {"D1", "D2"},
)


class MemoryStore:
    """What the engines on one session share."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.index = OrderedIndex()
        self.clock = PositionClock()
        self.leases = LeaseBook()
        self.version = CONTRACT_VERSION
        self._damaged: set[str] = set()
        self._answering: asyncio.Event | None = None

    def damage(self, key: str) -> None:
        """Make the record of `key` unreadable until it is written again."""
        self._damaged.add(key)

    def stall(self) -> None:
        """Answer no call until `resume`."""
        self._answering = self._answering or asyncio.Event()

    def resume(self) -> None:
        """Answer again, also the calls that wait."""
        if self._answering is not None:
            self._answering.set()
            self._answering = None

    async def answering(self) -> None:
        """Wait while the store is stalled."""
        while self._answering is not None:
            await self._answering.wait()

    def read(self, key: str) -> bytes:
        """Return the value of a key that is present."""
        if key in self._damaged:
            raise CorruptRecordError(key)
        return self.values[key]

    def put(self, key: str, value: bytes, at: int | None) -> None:
        """Write one value at its position."""
        self.values[key] = value
        self._damaged.discard(key)
        self.index.put(key, self.clock.next() if at is None else at)

    def cascade(self, key: str) -> None:
        """Remove `key` and all below it."""
        for gone in self.index.under(key):
            self.index.discard(gone)
            self._damaged.discard(gone)
            del self.values[gone]


class MemoryEngine(Engine):
    """An engine over a `MemoryStore`; without one, over a store of its own."""

    def __init__(
        self, store: MemoryStore | None = None, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> None:
        super().__init__(CAPABILITIES, timeout=timeout)
        self.store = MemoryStore() if store is None else store

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        await self.store.answering()
        present = [key for key in keys if key in self.store.values]
        return {key: self.store.read(key) for key in present}

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await self.store.answering()
        if fence is not None:
            self.store.leases.check_current(fence.epoch)
        for operation in operations:
            if isinstance(operation, Put):
                self.store.put(operation.key, operation.value, operation.at)
            else:
                self.store.cascade(operation.key)

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        await self.store.answering()
        return self.store.index.page(prefix, offset, limit)

    async def _count(self, prefix: str) -> int:
        await self.store.answering()
        return self.store.index.count(prefix)

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        index, after = self.store.index, None
        while True:
            await self.store.answering()
            chunk = list(islice(index.keys(prefix, after=after), SCAN_CHUNK))
            for key in chunk:
                position = index.position(key)
                if position is not None:
                    yield Entry(key, self.store.read(key), position)
            if len(chunk) < SCAN_CHUNK:
                return
            after = chunk[-1]

    async def _acquire(self, holder: str, ttl: float) -> int:
        await self.store.answering()
        return self.store.leases.grant(holder, ttl)

    async def _holder(self) -> Holder | None:
        await self.store.answering()
        return self.store.leases.holder

    async def _renew(self, lease: Lease, ttl: float) -> None:
        await self.store.answering()
        self.store.leases.renew(lease.epoch, ttl)

    async def _release(self, lease: Lease) -> None:
        await self.store.answering()
        self.store.leases.release(lease.epoch)

    async def _clear(self) -> None:
        await self.store.answering()
        for key in list(self.store.index.keys()):
            self.store.cascade(key)


class MemoryProvider(Provider):
    """`memory:PLACE#session`: places live as long as the process does."""

    best = CAPABILITIES
    _places: ClassVar[dict[str, dict[str, MemoryStore]]] = {}

    async def open(self, url: EngineUrl, *, read_only: bool = False) -> Engine:
        """Open a session, which every other opener in this process shares."""
        if url.durability not in (None, Durability.VOLATILE):
            raise EngineConfigError("durability", "memory: is volatile and cannot be more")
        url.refuse_unknown(())
        sessions = self._places.setdefault(url.place, {})
        store = sessions.setdefault(url.session or "default", MemoryStore())
        if store.version > CONTRACT_VERSION:
            raise StoreVersionError(store.version, CONTRACT_VERSION)
        return MemoryEngine(store, timeout=url.timeout or DEFAULT_TIMEOUT_S)

    async def list_sessions(self, url: EngineUrl) -> list[str]:
        """Name the sessions of a place that hold anything."""
        sessions = self._places.get(url.place, {})
        return sorted(name for name, store in sessions.items() if len(store.index))
