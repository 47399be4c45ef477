"""Rotations that are disturbed: stopped at any write, killed, and beside writers that go on."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from seal_bench.stores import (
    CHEAP,
    KEYS,
    Mortal,
    Yielding,
    contents,
    filled,
    first_key,
    generations,
    lease_runs_out,
    sealed,
    second_key,
)
from wa_core.errors import (
    EngineUnavailableError,
    FencedError,
    WrongKeyError,
)
from wa_core.seal import HEAD_KEY, Progress, describe, rotate_data_key, rotate_key
from wa_core.seal import rotation as rotation_module
from wa_core.seal.head import Head
from wa_core.storage import (
    Batch,
    Lease,
    MemoryEngine,
    MemoryStore,
    Operation,
    WrapperEngine,
    open_engine,
)

SEED = random.randrange(2**32)

ROTATE_FOR_EVER = """
import asyncio, sys
from wa_core.seal import rotate_data_key, rotation
from wa_core.storage import open_engine

rotation.BATCH_RECORDS = 5

async def main():
    async with await open_engine(sys.argv[1]) as engine:
        print("open", flush=True)
        while True:
            await rotate_data_key(engine)

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation_module, "BATCH_RECORDS", 3)


@pytest.mark.parametrize("trial", range(100))
async def test_a_rotation_killed_at_any_write_loses_no_record_and_no_key(trial: int) -> None:
    dice = random.Random(f"{SEED}:{trial}")
    store = MemoryStore()
    values = await filled(store, dice.randrange(1, 40))
    positions = await contents(await sealed(store))
    kills = 0

    while True:
        mortal = Mortal(MemoryEngine(store), dice.randrange(1, 18), does_it=dice.random() < 0.5)
        engine = await sealed(mortal)
        try:
            await rotate_data_key(engine)
        except EngineUnavailableError:
            kills += 1
        else:
            break
        lease_runs_out(store)
        survivor = await sealed(store)
        assert await contents(survivor) == positions, f"seed {SEED}:{trial}"
        known = {key.generation for key in Head.from_bytes(store.values[HEAD_KEY]).keys}
        assert generations(store) <= known, f"seed {SEED}:{trial}"

    assert await (await sealed(store)).get_many(values) == values
    assert len(generations(store)) == 1, f"seed {SEED}:{trial}, {kills} kills"
    keys = Head.from_bytes(store.values[HEAD_KEY]).keys
    assert [key.generation for key in keys] == sorted(generations(store))


@pytest.mark.parametrize("does_it", [False, True])
async def test_a_change_of_the_key_encryption_key_is_there_or_not(does_it: bool) -> None:
    store = MemoryStore()
    values = await filled(store, 3)
    engine = await sealed(Mortal(MemoryEngine(store), 1, does_it=does_it))

    with pytest.raises(EngineUnavailableError):
        await rotate_key(engine, second_key, cost=CHEAP)

    right, wrong = (second_key, first_key) if does_it else (first_key, second_key)
    assert await (await sealed(store, right)).get_many(values) == values
    with pytest.raises(WrongKeyError):
        await sealed(store, wrong)


@pytest.mark.parametrize("trial", range(10))
async def test_a_session_is_written_while_it_is_rotated_and_nothing_new_is_lost(
    trial: int,
) -> None:
    dice = random.Random(f"{SEED}:{trial}")
    store = MemoryStore()
    values: dict[str, bytes | None] = dict(await filled(store, 30))
    engine = await sealed(Yielding(MemoryEngine(store), dice))
    done = asyncio.Event()

    async def work(number: int) -> None:
        mine = sorted(values)[number::4]
        for turn in range(10_000):
            key = dice.choice(mine)
            values[key] = None if dice.random() < 0.2 else b"%d of %d" % (turn, number)
            await engine.set(key, values[key])
            assert await engine.get(key) == values[key], f"seed {SEED}:{trial}"
            if done.is_set():
                return

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(work(number))
        for _ in range(3):
            await rotate_data_key(engine)
        done.set()

    left = {key: value for key, value in values.items() if value is not None}
    assert {key: value for key, (value, _) in (await contents(engine)).items()} == left
    assert await (await sealed(store)).get_many(values) == left
    assert generations(store) == {4}


async def test_a_write_that_lands_late_is_not_written_over_by_its_elder() -> None:
    store = MemoryStore()
    await filled(store, 2)
    late: list[Sequence[Operation]] = []

    class Late(WrapperEngine):
        lose = False

        async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
            while late:
                await super()._apply(late.pop(), None)
            if self.lose:
                self.lose = False
                late.append(operations)
                raise EngineUnavailableError("it lands before the next one")
            await super()._apply(operations, fence)

    inner = Late(MemoryEngine(store))
    engine = await sealed(inner)
    keys = await engine.keeper.newest()
    await engine.keeper.replace(keys.grown(), None)
    inner.lose = True
    with pytest.raises(EngineUnavailableError):
        await engine.set("chat/1/index", b"new")

    await rotate_data_key(engine)

    assert await engine.get("chat/1/index") == b"new"


async def test_a_rotation_that_lost_its_lease_writes_no_more() -> None:
    store = MemoryStore()
    await filled(store, 30)
    engine = await sealed(store)

    def take_over(progress: Progress) -> None:
        if progress.resealed:
            lease_runs_out(store)

    with pytest.raises(FencedError):
        await rotate_data_key(engine, listener=take_over)

    assert generations(store) == {1, 2}
    await rotate_data_key(await sealed(store))
    assert generations(store) == {2}


@pytest.mark.soak
@pytest.mark.once
async def test_processes_killed_while_they_rotate_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL at a random moment, a hundred times, on a real disk."""
    monkeypatch.setenv("WA_TEST_KEY", KEYS[0])
    url = f"file:{tmp_path}/store?seal=env:WA_TEST_KEY"
    values = {f"chat/{n}/index": os.urandom(200) for n in range(60)}
    async with await open_engine(url) as engine:
        batch = Batch()
        for key, value in values.items():
            batch.put(key, value)
        await engine.apply(batch)
    dice, seen = random.Random(SEED), set[int]()

    for _ in range(100):
        with subprocess.Popen(
            [sys.executable, "-c", ROTATE_FOR_EVER, url], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert await asyncio.to_thread(process.stdout.readline) == b"open\n"
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, dice.uniform(0, 0.2))
            process.send_signal(signal.SIGKILL)
        async with await open_engine(url, read_only=True) as reader:
            assert await reader.get_many(values) == values, f"seed {SEED}"
            told = await describe(reader)
            assert told is not None
            seen.add(told.generation)

    async with await open_engine(url) as engine:
        done = await rotate_data_key(engine)
        assert await engine.get_many(values) == values
    assert done.generation >= max(seen)
    assert len(seen) > 20
