"""The queue of commits: the order of the calls, one batch of many, and no outcome left unknown."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from state_bench.engines import FaultyEngine, GatedEngine
from state_bench.identities import some_creds
from wa_core.errors import EngineUnavailableError, FencedError, UnsupportedError
from wa_core.state import AuthState, Creds
from wa_core.state.commits import Edit
from wa_core.storage import Batch, Lease, MemoryEngine, MemoryStore, Operation, Put, WrapperEngine
from wa_core.storage.layouts import CREDS, dumps


def counted(number: int) -> Edit:
    return lambda creds: replace(creds, account_sync_counter=number)


def one_more(creds: Creds) -> Creds:
    return replace(creds, account_sync_counter=creds.account_sync_counter + 1)


async def opened(engine: WrapperEngine) -> AuthState:
    await engine.inner.set(CREDS, some_creds().to_bytes())
    return await AuthState.open(engine)


async def stored(engine: WrapperEngine) -> Creds:
    return (await AuthState.open(engine.inner)).creds


@pytest.mark.parametrize("seed", range(5))
async def test_a_thousand_saves_at_once_end_with_the_last_one_submitted(seed: int) -> None:
    dice = random.Random(seed)
    engine = FaultyEngine(MemoryEngine(), dice=dice)
    state = await opened(engine)

    async with asyncio.TaskGroup() as group:
        for number in range(1000):
            change = counted(number)
            group.create_task(state.update_creds(change))
            group.create_task(state.keys.set({"session": {"1": number, f"x{number % 7}": number}}))
            for _ in range(dice.randrange(3)):
                await asyncio.sleep(0)

    assert (await stored(engine)).account_sync_counter == 999
    assert state.creds.account_sync_counter == 999
    assert await state.keys.get("session", ["1"]) == {"1": 999}
    assert await engine.inner.get("session/session/1") == b"999"
    assert 3 < engine.applied < 1000


async def test_changes_build_on_each_other_however_many_are_on_their_way() -> None:
    engine = FaultyEngine(MemoryEngine(), dice=random.Random(1))
    state = await opened(engine)

    await asyncio.gather(*(state.update_creds(one_more) for _ in range(200)))

    assert (await stored(engine)).account_sync_counter == 200


async def test_what_waits_goes_as_one_batch_with_the_credentials_once() -> None:
    engine = GatedEngine(MemoryEngine())
    state = await opened(engine)
    seen: list[int] = []
    inner_apply = engine.inner.apply

    async def apply(batch: Batch, *, fence: Lease | None = None) -> None:
        seen.append(sum(isinstance(part, Put) and part.key == CREDS for part in batch))
        await inner_apply(batch, fence=fence)

    engine.inner.apply = apply  # type: ignore[method-assign]

    first = asyncio.create_task(state.update_creds(one_more))
    await engine.reached.wait()
    others = [asyncio.create_task(state.update_creds(one_more)) for _ in range(50)]
    await asyncio.sleep(0)
    engine.gate.set()
    await asyncio.gather(first, *others)

    assert seen == [1, 1]
    assert state.creds.account_sync_counter == 51


async def settled(state: AuthState) -> None:
    while True:
        try:
            await state.settle()
        except EngineUnavailableError:
            continue
        return


@pytest.mark.parametrize("seed", range(10))
async def test_with_failing_writes_cache_and_store_are_equal_after_each(seed: int) -> None:
    dice = random.Random(seed)
    store = MemoryStore()
    inner = MemoryEngine(store)
    lease = await inner.acquire("worker", 3600)
    await inner.set(CREDS, some_creds().to_bytes())
    engine = FaultyEngine(inner, dice=dice)
    state = await AuthState.open(engine, lease=lease)
    engine.fault = lambda: dice.choice(["none"] * 7 + ["before", "after", "after"])
    failed = 0

    for number in range(200):
        ident = str(dice.randrange(6))
        value = None if dice.random() < 0.2 else number
        try:
            async with state.transaction(ident):
                await state.keys.get("session", [ident])
                await state.keys.set({"session": {ident: value}, "tctoken": {ident: value}})
                await state.update_creds(one_more)
        except EngineUnavailableError:
            failed += 1
        # What it remembers is never behind the store, also while an outcome is unknown.
        for key, remembered in state.engine._held.items():  # type: ignore[attr-defined]
            assert store.values.get(key) == remembered
        await settled(state)
        assert state.creds.to_bytes() == store.values[CREDS]
        for kind in ("session", "tctoken"):
            known = await state.keys.get(kind, map(str, range(6)))
            for place in map(str, range(6)):
                there = store.values.get(f"session/{kind}/{place}")
                assert there == (dumps(known[place]) if place in known else None)
    assert failed > 20


async def test_nobody_reads_what_a_late_write_may_still_change() -> None:
    engine = FaultyEngine(MemoryEngine())
    state = await opened(engine)
    faults = iter(["after", "before"])
    engine.fault = lambda: next(faults, "none")

    async def write() -> None:
        async with state.transaction():
            await state.keys.set({"session": {"1": "new"}})
            await state.update_creds(one_more)

    with pytest.raises(EngineUnavailableError):
        await write()
    with pytest.raises(EngineUnavailableError):
        await state.keys.get("session", ["1"])

    assert await state.keys.get("session", ["1"]) == {"1": "new"}
    assert state.creds.account_sync_counter == 1


async def test_what_comes_after_a_write_in_doubt_is_refused_and_never_happens_late() -> None:
    engine = FaultyEngine(MemoryEngine())
    state = await opened(engine)
    engine.fault = lambda: "before"

    for value in ("first", "second", "third"):
        with pytest.raises(EngineUnavailableError):
            await state.keys.set({"session": {value: value}})
    engine.fault = lambda: "none"
    await state.settle()

    assert await state.keys.ids("session") == ["first"]


async def test_only_the_guilty_one_of_a_batch_fails() -> None:
    class Refusing(MemoryEngine):
        async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
            if any(part.key.endswith("/bad") for part in operations):
                raise UnsupportedError("bad keys")
            await super()._apply(operations, fence)

    engine = Refusing()
    await engine.set(CREDS, some_creds().to_bytes())
    state = await AuthState.open(engine)

    results = await asyncio.gather(
        *(state.keys.set({"session": {name: 1}}) for name in ("good", "bad", "fine")),
        state.update_creds(one_more),
        return_exceptions=True,
    )

    assert [type(result) for result in results] == [
        type(None),
        UnsupportedError,
        type(None),
        type(None),
    ]
    assert await state.keys.ids("session") == ["fine", "good"]
    assert state.creds.account_sync_counter == 1


async def test_a_lost_lease_fails_all_at_once() -> None:
    inner = MemoryEngine()
    lease = await inner.acquire("worker", 60)
    engine = FaultyEngine(inner)
    await inner.set(CREDS, some_creds().to_bytes())
    state = await AuthState.open(engine, lease=lease)
    await lease.release()

    results = await asyncio.gather(
        *(state.keys.set({"session": {str(n): n}}) for n in range(100)), return_exceptions=True
    )

    assert all(isinstance(result, FencedError) for result in results)
    assert await inner.list(limit=None) == [CREDS]


async def test_a_write_in_doubt_is_not_repeated_under_another_lease() -> None:
    inner = MemoryEngine()
    lease = await inner.acquire("worker", 60)
    engine = FaultyEngine(inner)
    await inner.set(CREDS, some_creds().to_bytes())
    state = await AuthState.open(engine, lease=lease)
    engine.fault = lambda: "before"
    with pytest.raises(EngineUnavailableError):
        await state.keys.set({"session": {"1": "ours"}})
    engine.fault = lambda: "none"
    await lease.release()
    theirs = replace(some_creds(), platform="theirs")
    await inner.set(CREDS, theirs.to_bytes())

    await state.follow(await inner.acquire("worker", 60))

    assert state.creds == theirs
    assert await state.keys.get("session", ["1"]) == {}


async def test_big_batches_are_cut() -> None:
    engine = FaultyEngine(MemoryEngine())
    state = await opened(engine)
    value = "x" * (1 << 20)

    await asyncio.gather(*(state.keys.set({"session": {str(n): value}}) for n in range(10)))

    assert engine.applied == 4


STEPS = st.lists(
    st.tuples(st.sampled_from(["edit", "set", "delete", "clear", "settle"]), st.integers(0, 3)),
    max_size=30,
)


async def take(state: AuthState, step: str, ident: str, number: int) -> None:
    if step == "edit":
        await state.update_creds(one_more)
    elif step == "clear":
        await state.keys.clear()
    elif step == "settle":
        await state.settle()
    else:
        await state.keys.set({"session": {ident: number if step == "set" else None}})


@given(steps=STEPS, seed=st.integers(0, 1 << 16))
async def test_any_program_under_faults_ends_as_some_order_of_its_calls_would(
    steps: list[tuple[str, int]], seed: int
) -> None:
    dice = random.Random(seed)
    engine = FaultyEngine(MemoryEngine(), dice=dice)
    state = await opened(engine)
    engine.fault = lambda: dice.choice(["none", "before", "after"])
    possible: dict[str, set[object]] = {str(n): {None} for n in range(4)}

    for number, (step, ident) in enumerate(steps):
        touched = {"clear": list(possible), "set": [str(ident)], "delete": [str(ident)]}.get(
            step, []
        )
        meant = number if step == "set" else None
        try:
            await take(state, step, str(ident), number)
        except EngineUnavailableError:
            for key in touched:
                possible[key].add(meant)
        else:
            for key in touched:
                possible[key] = {meant}

    engine.fault = lambda: "none"
    known = await state.keys.get("session", list(possible))
    for key, values in possible.items():
        assert known.get(key) in values
    assert state.creds.to_bytes() == await engine.inner.get(CREDS)
