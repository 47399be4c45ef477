"""One backend set up to be measured: our engine, the floor and the peers, on the same server.

The idea: a dataset is filled when the first item asks for it, once for each side, and then shared.
"""

from __future__ import annotations

import random
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from pathlib import Path

from wa_core.storage import open_engine

from benchmarks.datasets import PER_BATCH, Amounts, Dataset
from benchmarks.kinds import Backend, Kind
from benchmarks.ours import Ours
from benchmarks.peers import baileys
from benchmarks.peers.baileys import BaileysPeer
from benchmarks.peers.keyvalue import KeyValuePeer, Store
from benchmarks.subject import Clocked, Floor, KeyValue, Pair, Worker


class Rig:
    """All sides of one kind, opened and filled as they are asked for."""

    def __init__(
        self, kind: Kind, backend: Backend, folder: Path, amounts: Amounts, stack: AsyncExitStack
    ) -> None:
        self.kind = kind
        self.backend = backend
        self.amounts = amounts
        self._folder = folder
        self._stack = stack
        self._ours: dict[str, Ours] = {}
        self._floors: dict[str, Floor] = {}
        self._key_values: dict[tuple[str, str], Worker] = {}
        self._baileys: dict[str, BaileysPeer] = {}
        self._dice = random.Random(1)
        self._fresh = 0

    def value(self, size: int) -> bytes:
        """Make up some bytes."""
        return self._dice.randbytes(size)

    def fresh(self) -> int:
        """Return a number that nobody has had."""
        self._fresh += 1
        return self._fresh

    async def ours(self, dataset: Dataset) -> Ours:
        """Return our engine on a session that holds a dataset."""
        if dataset.name not in self._ours:
            url = self.kind.engine_url(self.backend.url, dataset.name)
            ours = self._ours[dataset.name] = Ours(await open_engine(url))
            self._stack.push_async_callback(ours.close)
            await self._fill(ours, dataset, "ours")
        return self._ours[dataset.name]

    async def floor(self, dataset: Dataset) -> Floor:
        """Return the floor on a table or the like that holds a dataset."""
        if dataset.name not in self._floors:
            floor = await self.kind.open_floor(self.backend.url, dataset.name)
            self._floors[dataset.name] = floor
            self._stack.push_async_callback(floor.close)
            await self._fill(floor, dataset, "the floor")
        return self._floors[dataset.name]

    async def key_value(
        self, dataset: Dataset, open_store: Callable[[str], Store] | None
    ) -> Worker:
        """Return a store of py-key-value-aio, with a collection that holds a dataset."""
        if open_store is None:
            raise LookupError(f"py-key-value-aio has no such store for {self.kind.name}")
        name = (open_store.__name__, dataset.name)
        if name not in self._key_values:
            peer = KeyValuePeer(open_store(self.backend.url), dataset.name)
            self._stack.push_async_callback(peer.close)
            await self._fill(peer, dataset, "py-key-value-aio")
            self._key_values[name] = Clocked(peer)
        return self._key_values[name]

    async def baileys(self, dataset: Dataset) -> BaileysPeer:
        """Return Baileys' state, in a folder that holds a dataset."""
        if dataset.name not in self._baileys:
            if reason := baileys.reason_not_to_run():
                raise LookupError(reason)
            folder = self._folder / f"{self.kind.name}-{dataset.name}"
            peer = await BaileysPeer.start(folder, dataset.keys(self.amounts))
            self._stack.push_async_callback(peer.close)
            self._baileys[dataset.name] = peer
        return self._baileys[dataset.name]

    async def _fill(self, subject: KeyValue, dataset: Dataset, whose: str) -> None:
        keys, count = dataset.keys(self.amounts), 0
        while batch := self._pairs(islice(keys, PER_BATCH), dataset.value_bytes):
            await subject.put(batch)
            count += len(batch)
        if count:
            print(f"  filled {whose}: {count:,} keys", file=sys.stderr, flush=True)
            await (await self.floor(dataset)).settle()

    def _pairs(self, keys: Iterator[str], size: int) -> Sequence[Pair]:
        return [(key, self._dice.randbytes(size)) for key in keys]


@asynccontextmanager
async def rigged(kind: Kind, folder: Path, amounts: Amounts) -> AsyncIterator[Rig]:
    """Start a backend; whatever was opened on it is closed before it ends."""
    async with kind.start(folder) as backend, AsyncExitStack() as stack:
        yield Rig(kind, backend, folder, amounts, stack)
