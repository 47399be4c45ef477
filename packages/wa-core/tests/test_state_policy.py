"""When changes of the credentials are written: at once, together, or with the next keys."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest
from state_bench.clock import Clock
from state_bench.engines import FaultyEngine, GatedEngine
from state_bench.identities import some_creds
from wa_core.errors import EngineUnavailableError, FencedError, UsageError
from wa_core.state import BATCHED, IMMEDIATE, TRANSACTIONAL, AuthState, Creds, Policy
from wa_core.storage import MemoryEngine
from wa_core.storage.layouts import CREDS


def one_more(creds: Creds) -> Creds:
    return replace(creds, account_sync_counter=creds.account_sync_counter + 1)


class Bench:
    """A state under a policy, over an engine that can fail, and a clock that is told."""

    def __init__(self, engine: FaultyEngine, state: AuthState, clock: Clock) -> None:
        self.engine, self.state, self.clock = engine, state, clock

    @classmethod
    async def make(cls, policy: Policy) -> Bench:
        engine, clock = FaultyEngine(MemoryEngine()), Clock()
        await engine.inner.set(CREDS, some_creds().to_bytes())
        return cls(engine, await AuthState.open(engine, policy=policy, timer=clock), clock)

    async def pass_by(self, seconds: float) -> None:
        self.clock.move(seconds)
        for _ in range(20):
            await asyncio.sleep(0)

    async def change(self, times: int = 1) -> None:
        for _ in range(times):
            await self.state.update_creds(one_more)

    @property
    def known(self) -> int:
        return self.state.creds.account_sync_counter

    async def stored(self) -> int:
        return (await AuthState.open(self.engine.inner)).creds.account_sync_counter


async def test_immediate_is_in_the_store_when_the_call_returns() -> None:
    bench = await Bench.make(IMMEDIATE)

    await bench.change()

    assert (bench.known, await bench.stored()) == (1, 1)
    assert bench.clock.waiting == 0


async def test_immediate_is_not_known_before_it_is_stored() -> None:
    engine = GatedEngine(MemoryEngine())
    await engine.inner.set(CREDS, some_creds().to_bytes())
    state = await AuthState.open(engine)

    change = asyncio.create_task(state.update_creds(one_more))
    await engine.reached.wait()
    assert state.creds.account_sync_counter == 0
    engine.gate.set()
    await change

    assert state.creds.account_sync_counter == 1


async def test_batched_goes_a_second_after_the_last_change() -> None:
    bench = await Bench.make(BATCHED)

    await bench.change(50)
    await bench.pass_by(0.9)
    await bench.change()
    await bench.pass_by(0.9)
    assert (bench.known, await bench.stored()) == (51, 0)
    await bench.pass_by(0.1)

    assert (bench.known, await bench.stored()) == (51, 51)
    assert bench.engine.applied == 1
    assert bench.clock.waiting == 0


async def test_batched_goes_in_the_end_though_changes_never_cease() -> None:
    bench = await Bench.make(BATCHED)

    for _ in range(24):
        await bench.change()
        await bench.pass_by(0.5)

    assert await bench.stored() >= 20
    assert bench.engine.applied == 1


async def test_what_is_on_its_way_stays_known_and_goes_once() -> None:
    engine, clock = GatedEngine(MemoryEngine()), Clock()
    await engine.inner.set(CREDS, some_creds().to_bytes())
    state = await AuthState.open(engine, policy=BATCHED, timer=clock)
    await state.update_creds(one_more)
    clock.move(1)
    await engine.reached.wait()

    assert state.creds.account_sync_counter == 1
    await state.update_creds(one_more)
    assert state.creds.account_sync_counter == 2
    engine.gate.set()
    await state.flush()

    assert state.creds.account_sync_counter == 2
    assert (await AuthState.open(engine.inner)).creds.account_sync_counter == 2


@pytest.mark.parametrize("policy", [BATCHED, TRANSACTIONAL])
@pytest.mark.parametrize("end", ["flush", "close"])
async def test_what_waits_is_written_by_flush_and_close(policy: Policy, end: str) -> None:
    bench = await Bench.make(policy)
    await bench.change(3)
    assert await bench.stored() == 0

    await getattr(bench.state, end)()

    assert await bench.stored() == 3
    assert bench.clock.waiting == 0


async def test_transactional_goes_with_the_next_keys() -> None:
    bench = await Bench.make(TRANSACTIONAL)
    await bench.change(2)
    await bench.pass_by(3600)
    assert (bench.known, await bench.stored()) == (2, 0)

    await bench.state.keys.set({"session": {"1": "a"}})

    assert (bench.known, await bench.stored()) == (2, 2)
    assert bench.engine.applied == 1


async def test_batched_does_not_go_with_keys_but_with_credentials_of_a_transaction() -> None:
    bench = await Bench.make(BATCHED)
    await bench.change()

    await bench.state.keys.set({"session": {"1": "a"}})
    assert await bench.stored() == 0
    async with bench.state.transaction():
        await bench.change()

    assert await bench.stored() == 2
    await bench.pass_by(5)
    assert (bench.engine.applied, await bench.stored()) == (2, 2)


@pytest.mark.parametrize("fault", ["before", "after"])
async def test_a_write_that_failed_is_tried_again_and_counts_once(
    fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench = await Bench.make(BATCHED)
    await bench.change(2)
    bench.engine.fault = lambda: fault

    await bench.pass_by(1)
    assert bench.known == 2
    await bench.change()
    await bench.pass_by(1)
    assert bench.known == 3
    bench.engine.fault = lambda: "none"
    await bench.pass_by(1)
    await bench.pass_by(1)

    assert (bench.known, await bench.stored()) == (3, 3)
    assert bench.clock.waiting == 0
    assert {record.getMessage() for record in caplog.records} == {
        "credentials are not saved yet: engine-unavailable"
    }


async def test_a_state_whose_closing_failed_can_be_closed_again() -> None:
    bench = await Bench.make(BATCHED)
    await bench.change()
    bench.engine.fault = lambda: "before"

    with pytest.raises(EngineUnavailableError):
        await bench.state.close()
    bench.engine.fault = lambda: "none"
    await bench.state.close()

    assert await bench.stored() == 1


async def test_a_lost_lease_ends_the_trying(caplog: pytest.LogCaptureFixture) -> None:
    engine, clock = MemoryEngine(), Clock()
    await engine.set(CREDS, some_creds().to_bytes())
    lease = await engine.acquire("worker", 60)
    state = await AuthState.open(engine, lease=lease, policy=BATCHED, timer=clock)
    await state.update_creds(one_more)
    await lease.release()

    with pytest.raises(FencedError):
        await state.flush()
    assert clock.waiting == 0
    with caplog.at_level(logging.WARNING):
        await state.follow(await engine.acquire("worker", 60))

    assert state.creds.account_sync_counter == 0
    assert "1 changes of credentials were dropped" in caplog.text


async def test_a_change_that_cannot_be_written_is_refused_when_it_is_made() -> None:
    bench = await Bench.make(BATCHED)

    with pytest.raises(TypeError):
        await bench.state.update_creds(lambda creds: replace(creds, additional_data=object()))
    await bench.change()
    await bench.state.flush()

    assert await bench.stored() == 1


@pytest.mark.parametrize(("delay", "longest"), [(0.0, 1.0), (-1.0, 1.0), (2.0, 1.0)])
def test_a_policy_waits_for_something(delay: float, longest: float) -> None:
    with pytest.raises(UsageError):
        Policy(delay_s=delay, longest_s=longest)
