"""Any interleaving of reads, writes and faults: the cache never holds what the store does not."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from wa_core.errors import EngineUnavailableError
from wa_core.storage import Batch, CachedEngine, Delete, Lease, MemoryEngine, Operation, Put

KEYS = ["a", "a/b", "c"]
WRITES = [["a"], ["c"], ["a", "c"], ["a", "a/b", "c"], ["a/b", "c", "a"], ["cascade"], ["clear"]]
FAULTS = ["none", "none", "late", "before", "after", "late"]


class Slow(MemoryEngine):
    """Every call waits at gates that a test opens: before it takes effect, and before it returns.

    A write can fail before or after it took effect, or fail now and take effect late: before the
    next write does, as W6 demands.
    """

    def __init__(self) -> None:
        super().__init__(timeout=3600.0)
        self._capabilities = replace(self._capabilities, shared=False)
        self.waiting: list[asyncio.Event] = []
        self.faults: deque[str] = deque()
        self._late: list[tuple[Operation, ...]] = []

    async def gate(self) -> None:
        event = asyncio.Event()
        self.waiting.append(event)
        await event.wait()

    async def get_many(self, keys: Any) -> dict[str, bytes]:
        await self.gate()
        found = await super().get_many(keys)
        await self.gate()
        return found

    async def apply(self, batch: Batch, *, fence: Lease | None = None) -> None:
        try:
            await super().apply(batch, fence=fence)
        finally:
            await self.gate()

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await self.gate()
        await self.land()
        fault = self.faults.popleft() if self.faults else "none"
        if fault == "late":
            self._late.append(tuple(operations))
        elif fault != "before":
            await super()._apply(operations, fence)
        if fault != "none":
            raise EngineUnavailableError(fault)

    async def land(self) -> None:
        for operations in self._late:
            await super()._apply(operations, None)
        self._late.clear()


@dataclass
class Reading:
    """A read under way: what it asks for, and every state it may have seen."""

    keys: list[str]
    seen: list[dict[str, bytes]] = field(default_factory=list)


class RaceMachine(RuleBasedStateMachine):
    """Many calls at once, their steps in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.inner = Slow()
        for key in KEYS:
            self.inner.store.put(key, b"0", None)
        self.engine = CachedEngine(self.inner, max_bytes=1500)
        self.tasks: list[asyncio.Task[None]] = []
        self.readings: list[Reading] = []
        self.number = 0

    def teardown(self) -> None:
        while self.inner.waiting:
            self.open_gates([0])
        assert all(task.done() for task in self.tasks)
        self.never_behind()
        self.loop.close()

    def start(self, call: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(self.loop.create_task(call))
        self.settle()

    def settle(self) -> None:
        async def turns() -> None:
            for _ in range(12):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())
        state = dict(self.inner.store.values)
        for reading in self.readings:
            reading.seen.append(state)
        for task in self.tasks:
            if task.done() and not task.cancelled():
                task.result()

    async def read(self, keys: list[str]) -> None:
        reading = Reading(keys, [dict(self.inner.store.values)])
        self.readings.append(reading)
        found = await self.engine.get_many(keys)
        self.readings.remove(reading)
        states = [*reading.seen, dict(self.inner.store.values)]
        possible = [{k: state[k] for k in keys if k in state} for state in states]
        assert found in possible, "a mixture of two states, or an old one"

    async def write(self, batch: Batch) -> None:
        try:
            await self.engine.apply(batch)
        except EngineUnavailableError:
            return

    @rule(keys=st.sampled_from(WRITES), fault=st.sampled_from(FAULTS))
    def start_write(self, keys: list[str], fault: str) -> None:
        self.number += 1
        value = str(self.number).encode()
        self.inner.faults.append(fault)
        if keys == ["clear"]:
            self.start(self.engine.clear())
        elif keys == ["cascade"]:
            self.start(self.write(Batch([Delete("a"), Put("a/b", value)])))
        else:
            self.start(self.write(Batch(Put(key, value) for key in keys)))

    @rule(keys=st.sampled_from([KEYS, ["a"], ["c"], ["c", "a"]]))
    def start_read(self, keys: list[str]) -> None:
        self.start(self.read(keys))

    @rule(which=st.lists(st.integers(0, 5), min_size=1, max_size=8))
    def open_gates(self, which: list[int]) -> None:
        for number in which:
            if self.inner.waiting:
                self.inner.waiting.pop(number % len(self.inner.waiting)).set()
                self.settle()

    @rule(which=st.integers(0, 20))
    def cancel(self, which: int) -> None:
        running = [task for task in self.tasks if not task.done()]
        if running:
            running[which % len(running)].cancel()
            self.settle()

    @rule()
    def land_what_is_late(self) -> None:
        self.start(self.inner.land())

    @invariant()
    def never_behind(self) -> None:
        for key, value in self.engine._held.items():
            assert self.inner.store.values.get(key) == value


TestRaceMachine = pytest.mark.once(RaceMachine.TestCase)
TestRaceMachine.settings = settings(max_examples=300, stateful_step_count=40)
