"""Locks of transactions: a peer's messages wait for each other, by whatever name it is called."""

from __future__ import annotations

import asyncio
import random

import pytest
from state_bench.engines import GatedEngine
from state_bench.identities import some_creds
from state_bench.peers import beside, count_up
from wa_core.errors import TransactionError
from wa_core.state import AuthState
from wa_core.state.locks import NamedLocks
from wa_core.storage import MemoryEngine
from wa_core.storage.layouts import CREDS


@pytest.fixture
async def state() -> AuthState:
    return await AuthState.open(MemoryEngine(), create=True, mint=some_creds)


async def test_two_messages_of_one_peer_never_interleave(state: AuthState) -> None:
    dice = random.Random(4)
    await state.keys.set({"lid-mapping": {"55": "100", "100_reverse": "55"}})
    await state.keys.set({"session": {"100_1.2": 0}})

    async def receive(address: str) -> None:
        async with state.transaction(address):
            where = await state.canonical(address)
            count = (await state.keys.get("session", [where]))[where]
            for _ in range(dice.randrange(4)):
                await asyncio.sleep(0)
            await state.keys.set({"session": {where: count + 1}})

    await asyncio.gather(*(receive(dice.choice(["55.2", "100_1.2"])) for _ in range(100)))

    assert await state.keys.get("session", ["100_1.2"]) == {"100_1.2": 100}


async def test_two_peers_do_not_wait_for_each_other(state: AuthState) -> None:
    async with asyncio.timeout(1), state.transaction("55.0"):
        other = beside(count_up(state, "56.0"))
        await other


async def test_a_peer_whose_lid_becomes_known_while_waiting_is_waited_for_again(
    state: AuthState,
) -> None:
    order: list[str] = []

    async def by(address: str) -> None:
        async with state.transaction(address):
            order.append(address)
            await asyncio.sleep(0)
            order.append(address)

    async with state.transaction("55.0", "100_1.0"):
        by_number = beside(by("55.0"))
        by_lid = beside(by("100_1.0"))
        await asyncio.sleep(0)
        await state.keys.set({"lid-mapping": {"55": "100", "100_reverse": "55"}})
    await asyncio.gather(by_number, by_lid)

    assert order[0] == order[1]
    assert order[2] == order[3]


async def test_a_circle_of_waiters_is_told_apart(state: AuthState) -> None:
    first_in, second_in = asyncio.Event(), asyncio.Event()

    async def take(mine: asyncio.Event, other: asyncio.Event, names: tuple[str, str]) -> str:
        try:
            async with state.transaction(names[0]):
                mine.set()
                await other.wait()
                async with state.transaction(names[1]):
                    return "done"
        except TransactionError as exc:
            return str(exc)

    async with asyncio.timeout(5):
        ended = await asyncio.gather(
            take(first_in, second_in, ("1.0", "2.0")), take(second_in, first_in, ("2.0", "1.0"))
        )

    assert ended.count("done") == 1
    assert any("wait for each other" in how for how in ended)


async def test_who_is_cancelled_while_waiting_leaves_the_line(state: AuthState) -> None:
    async with state.transaction("1.0"):
        waiting = [beside(count_up(state, "1.0")) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        await asyncio.sleep(0)

    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(how) for how in ended] == [type(None), asyncio.CancelledError, type(None)]


async def test_a_commit_goes_on_when_its_caller_is_cancelled_and_holds_its_lock_till_then() -> None:
    engine = GatedEngine(MemoryEngine())
    await engine.inner.set(CREDS, some_creds().to_bytes())
    state = await AuthState.open(engine)

    task = asyncio.create_task(count_up(state, "1.0"))
    await engine.reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    follower = asyncio.create_task(count_up(state, "1.0"))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not follower.done()
    engine.gate.set()
    await follower

    assert await state.keys.get("session", ["1.0"]) == {"1.0": 2}


async def test_who_gave_up_waiting_waits_for_nobody(state: AuthState) -> None:
    first_in, gave_up = asyncio.Event(), asyncio.Event()

    async def patient() -> None:
        async with state.transaction("2.0"):
            first_in.set()
            await gave_up.wait()
            async with state.transaction("1.0"):
                pass

    task = beside(patient())
    await first_in.wait()
    async with state.transaction("1.0"):
        waiting = asyncio.create_task(count_up(state, "2.0"))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        gave_up.set()
        await asyncio.sleep(0)

    await task


@pytest.mark.parametrize("seed", range(5))
async def test_nothing_is_left_of_locks_that_nobody_has(seed: int) -> None:
    dice, locks = random.Random(seed), NamedLocks()
    held: dict[str, int] = {}

    async def work(number: int) -> None:
        owner = object()
        names = dice.sample("abcde", 2)
        try:
            gained = await locks.acquire(owner, names)
            assert sorted(names) == gained
            for name in names:
                assert held.setdefault(name, number) == number, "two have one name"
            await asyncio.sleep(0)
            for name in names:
                del held[name]
        finally:
            locks.release(owner)

    tasks = [asyncio.create_task(work(number)) for number in range(100)]
    while pending := [task for task in tasks if not task.done()]:
        if dice.random() < 0.2 and not held:
            dice.choice(pending).cancel()
        await asyncio.sleep(0)
    ended = await asyncio.gather(*tasks, return_exceptions=True)

    assert {type(how) for how in ended} == {type(None), asyncio.CancelledError}
    assert not any(vars(locks).values())
