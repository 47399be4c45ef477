"""The base of every engine, step by step: writes in order, and scans that end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any

import pytest
from wa_core.errors import EngineClosedError, EngineUnavailableError
from wa_core.storage import Batch, Capabilities, Durability, Engine, Entry, Lease, Operation, Put


class Stepwise(Engine):
    """Writes down when each write and scan begins and ends; `act` is what they wait for."""

    def __init__(self, *, timeout: float = 5.0) -> None:
        super().__init__(
            Capabilities(durability=Durability.VOLATILE, shared=False), timeout=timeout
        )
        self.calls: list[tuple[Any, ...]] = []
        self.entries: list[Entry] = []
        self.act: Callable[[str], Awaitable[None]] = self._at_once

    async def _at_once(self, name: str) -> None:
        """Do nothing, at once."""

    async def _note(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, *arguments))
        await self.act(name)

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return {}

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await self._note("apply", tuple(operations))
        self.calls.append(("applied", tuple(operations)))

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        return []

    async def _count(self, prefix: str) -> int:
        return 0

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        await self._note("scan", prefix)
        try:
            for entry in self.entries:
                yield entry
                await self._note("step")
        finally:
            self.calls.append(("scan ended",))

    async def _clear(self) -> None:
        await self._note("clear")
        self.calls.append(("cleared",))


async def hang(name: str) -> None:
    await asyncio.Event().wait()


async def let_others_run() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def collected(engine: Engine, prefix: str = "") -> list[Entry]:
    return [entry async for entry in engine.scan(prefix)]


async def test_batches_take_effect_in_the_order_of_the_calls() -> None:
    engine = Stepwise()
    gates = {"1": asyncio.Event(), "2": asyncio.Event(), "clear": asyncio.Event()}
    order = iter(gates.values())

    async def wait(name: str) -> None:
        await next(order).wait()

    engine.act = wait
    tasks = [
        asyncio.create_task(engine.set("k", "1")),
        asyncio.create_task(engine.set("k", "2")),
        asyncio.create_task(engine.clear()),
    ]
    await let_others_run()
    begun_while_the_first_waits = [call[0] for call in engine.calls]
    for gate in reversed(gates.values()):
        gate.set()
    await asyncio.gather(*tasks)

    assert begun_while_the_first_waits == ["apply"]
    names = ["apply", "applied", "apply", "applied", "clear", "cleared"]
    assert [call[0] for call in engine.calls] == names
    assert [call[1][0].value for call in engine.calls if call[0] == "applied"] == [b"1", b"2"]


async def test_an_engine_that_orders_by_itself_is_not_held_back() -> None:
    class Ordering(Stepwise):
        orders_applies = True

    engine, gate = Ordering(), asyncio.Event()
    engine.act = lambda name: _until(gate)
    tasks = [asyncio.create_task(engine.set("k", text)) for text in ("1", "2")]
    await let_others_run()
    begun = [call[0] for call in engine.calls]
    gate.set()
    await asyncio.gather(*tasks)

    assert begun == ["apply", "apply"]


async def _until(gate: asyncio.Event) -> None:
    await gate.wait()


async def test_a_cancelled_or_failed_write_lets_the_next_one_in() -> None:
    engine = Stepwise()
    engine.act = hang
    stuck = asyncio.create_task(engine.set("k", "1"))
    waiting = asyncio.create_task(engine.set("k", "2"))
    await let_others_run()

    engine.act = engine._at_once
    stuck.cancel()
    await waiting

    assert stuck.cancelled()
    assert [call[1][0].value for call in engine.calls if call[0] == "applied"] == [b"2"]


async def test_a_batch_is_taken_as_it_is_at_the_call() -> None:
    engine, gate = Stepwise(), asyncio.Event()
    engine.act = lambda name: _until(gate)
    batch = Batch().put("a", b"1")
    task = asyncio.create_task(engine.apply(batch))
    await let_others_run()

    batch.put("b", b"2")
    gate.set()
    await task

    assert engine.calls[-1] == ("applied", (Put("a", b"1"),))


async def test_scan_passes_on_each_entry() -> None:
    engine = Stepwise()
    engine.entries = [Entry(f"a/{n}", b"v", n) for n in range(3)]

    assert await collected(engine, "a/") == engine.entries
    assert engine.calls[0] == ("scan", "a/")
    assert engine.calls[-1] == ("scan ended",)


async def test_each_step_of_a_scan_has_the_whole_time() -> None:
    engine = Stepwise(timeout=0.2)
    engine.entries = [Entry(f"a/{n}", b"v", n) for n in range(5)]
    steps = 0

    async def slow(name: str) -> None:
        await asyncio.wait_for(hang(name), 0.06)

    async def patient(name: str) -> None:
        nonlocal steps
        steps += 1
        try:
            await slow(name)
        except TimeoutError:
            return

    engine.act = patient
    assert await collected(engine) == engine.entries
    assert steps * 0.06 > engine.timeout


async def test_a_scan_that_stops_early_is_ended_inside_too() -> None:
    engine = Stepwise()
    engine.entries = [Entry(f"a/{n}", b"v", n) for n in range(3)]
    source = engine.scan()

    assert await anext(source) == engine.entries[0]
    await source.aclose()

    assert engine.calls == [("scan", ""), ("scan ended",)]


async def test_a_scan_that_hangs_is_ended_inside_too() -> None:
    engine = Stepwise(timeout=0.02)
    engine.entries = [Entry("a", b"v", 1)]
    source = engine.scan()
    await anext(source)
    engine.act = hang

    with pytest.raises(EngineUnavailableError):
        await anext(source)

    assert engine.calls[-1] == ("scan ended",)


async def test_a_scan_ends_when_the_engine_is_closed() -> None:
    engine = Stepwise()
    engine.entries = [Entry(f"a/{n}", b"v", n) for n in range(3)]
    source = engine.scan()
    await anext(source)
    await engine.close()

    with pytest.raises(EngineClosedError):
        await anext(source)

    assert engine.calls[-1] == ("scan ended",)


async def test_a_scan_of_many_gives_what_a_scan_gives() -> None:
    engine = Stepwise()
    engine.entries = [Entry(f"a/{n}", b"v", n) for n in range(3)]

    found = [entry async for some in engine.scan_many("a/") for entry in some]

    assert found == engine.entries
    assert engine.calls[0] == ("scan", "a/")
    assert engine.calls[-1] == ("scan ended",)


async def test_a_scan_of_many_that_stops_early_is_ended_inside_too() -> None:
    engine = Stepwise()
    engine.entries = [Entry(f"a/{n}", b"v", n) for n in range(3)]
    source = engine.scan_many()

    assert list(await anext(source)) == engine.entries[:1]
    await source.aclose()

    assert engine.calls == [("scan", ""), ("scan ended",)]
