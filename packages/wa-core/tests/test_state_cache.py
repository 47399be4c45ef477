"""The cache of a state: it remembers under a lease, within a bound, and never behind the store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from state_bench.identities import some_creds
from wa_core.errors import FencedError
from wa_core.state import AuthState
from wa_core.storage import MemoryEngine
from wa_core.storage.layouts import CREDS


class Counted(MemoryEngine):
    """Counts the reads of records."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.gate: asyncio.Event | None = None

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        self.reads += 1
        found = await super()._get_many(keys)
        if self.gate is not None:
            await self.gate.wait()
        return found


@pytest.fixture
async def engine() -> Counted:
    engine = Counted()
    await engine.set(CREDS, some_creds().to_bytes())
    await engine.set("session/session/1", b'"a"')
    return engine


async def reads(engine: Counted, state: AuthState, times: int = 3) -> int:
    before = engine.reads
    for _ in range(times):
        await state.keys.get("session", ["1"])
    return engine.reads - before


async def test_under_a_lease_a_record_is_read_once(engine: Counted) -> None:
    state = await AuthState.open(engine, lease=await engine.acquire("worker", 60))

    assert await reads(engine, state) == 1


async def test_without_a_lease_every_read_asks_a_shared_store(engine: Counted) -> None:
    state = await AuthState.open(engine)

    assert await reads(engine, state) == 3


async def test_what_was_written_is_remembered_and_what_is_absent_is_not(engine: Counted) -> None:
    state = await AuthState.open(engine, lease=await engine.acquire("worker", 60))
    await state.keys.set({"session": {"1": "b"}})

    assert await reads(engine, state) == 0
    await state.keys.set({"session": {"1": None}})
    assert await reads(engine, state) == 3


async def test_another_lease_forgets_everything(engine: Counted) -> None:
    lease = await engine.acquire("worker", 60)
    state = await AuthState.open(engine, lease=lease)
    await reads(engine, state)
    await lease.release()
    await engine.set("session/session/1", b'"theirs"')

    await state.follow(await engine.acquire("worker", 60))

    assert await state.keys.get("session", ["1"]) == {"1": "theirs"}


async def test_a_refused_write_forgets_everything(engine: Counted) -> None:
    lease = await engine.acquire("worker", 60)
    state = await AuthState.open(engine, lease=lease)
    await reads(engine, state)
    await lease.release()
    await engine.set("session/session/1", b'"theirs"')

    with pytest.raises(FencedError):
        await state.keys.set({"session": {"2": "late"}})

    assert await state.keys.get("session", ["1"]) == {"1": "theirs"}
    assert await reads(engine, state) == 3


async def test_a_read_begun_under_the_former_lease_is_not_remembered(engine: Counted) -> None:
    lease = await engine.acquire("worker", 60)
    state = await AuthState.open(engine, lease=lease)
    engine.gate = asyncio.Event()
    reading = asyncio.create_task(state.keys.get("session", ["1"]))
    await asyncio.sleep(0)
    gate, engine.gate = engine.gate, None
    await lease.release()
    await engine.set("session/session/1", b'"theirs"')
    await state.follow(await engine.acquire("worker", 60))

    gate.set()
    await reading

    assert await state.keys.get("session", ["1"]) == {"1": "theirs"}


async def test_it_is_bounded(engine: Counted) -> None:
    state = await AuthState.open(
        engine, lease=await engine.acquire("worker", 60), cache_bytes=10_000
    )

    await state.keys.set({"session": {str(number): "x" * 1000 for number in range(100)}})

    assert 0 < state.engine.cached_bytes <= 10_000  # type: ignore[attr-defined]
