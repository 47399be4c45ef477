"""Sealed sessions over stores in memory, and engines that stop, wait or look on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

from wa_core.crypto.derivation import Cost
from wa_core.errors import (
    EngineUnavailableError,
)
from wa_core.seal import HEAD_KEY, SealedEngine, new_key
from wa_core.storage import (
    Batch,
    Engine,
    Lease,
    MemoryEngine,
    MemoryStore,
    Operation,
    WrapperEngine,
)

KEYS = (new_key(), new_key())
CHEAP = Cost(n=2, r=1, p=1)
"""What a passphrase costs here: nothing."""


def first_key() -> str:
    return KEYS[0]


def second_key() -> str:
    return KEYS[1]


async def sealed(store: MemoryStore | Engine, key: Callable[[], str] = first_key) -> SealedEngine:
    inner = MemoryEngine(store) if isinstance(store, MemoryStore) else store
    return await SealedEngine.open(inner, key, cost=CHEAP)


async def filled(store: MemoryStore, records: int) -> dict[str, bytes]:
    """Put some records into a store, at positions of their own."""
    values = {f"chat/{n}/index": b"value %d" % n for n in range(records)}
    async with await sealed(store) as engine:
        batch = Batch()
        for n, (key, value) in enumerate(values.items()):
            batch.put(key, value, at=1000 + 7 * n)
        await engine.apply(batch)
    return values


async def contents(engine: Engine) -> dict[str, tuple[bytes, int]]:
    return {entry.key: (entry.value, entry.at) async for entry in engine.scan()}


def generations(store: MemoryStore) -> set[int]:
    """Tell by which generations the records of a store are sealed."""
    records = (value for key, value in store.values.items() if key != HEAD_KEY)
    return {int.from_bytes(value[1:5]) for value in records}


def lease_runs_out(store: MemoryStore) -> None:
    """Let the lease of a process that died run out."""
    store.leases.release(store.leases.epoch)


class Watching(WrapperEngine):
    """Writes down which writes went through, and can answer late."""

    def __init__(self, inner: Engine) -> None:
        super().__init__(inner)
        self.written: list[str] = []
        self.fenced: list[bool] = []
        self.lose_answers = 0

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(operations, fence)
        self.written += [operation.key for operation in operations]
        self.fenced.append(fence is not None)
        if self.lose_answers:
            self.lose_answers -= 1
            raise EngineUnavailableError("the answer was lost")


class Mortal(WrapperEngine):
    """Stops for ever at one of its writes, before or after it was done."""

    def __init__(self, inner: Engine, last: int, *, does_it: bool) -> None:
        super().__init__(inner)
        self.writes_left = last
        self._does_it = does_it

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        self.writes_left -= 1
        if self.writes_left > 0 or (self.writes_left == 0 and self._does_it):
            await super()._apply(operations, fence)
        if self.writes_left <= 0:
            raise EngineUnavailableError("the process was killed")

    async def _release(self, lease: Lease) -> None:
        if self.writes_left <= 0:
            raise EngineUnavailableError("the process was killed")
        await super()._release(lease)


class Yielding(WrapperEngine):
    """Lets others run in the middle of everything."""

    def __init__(self, inner: Engine, dice: random.Random) -> None:
        super().__init__(inner)
        self._dice = dice

    async def _pause(self) -> None:
        for _ in range(self._dice.randrange(4)):
            await asyncio.sleep(0)

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        await self._pause()
        found = await super()._get_many(keys)
        await self._pause()
        return found

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await self._pause()
        await super()._apply(operations, fence)
        await self._pause()
