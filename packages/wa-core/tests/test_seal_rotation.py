"""Keys that are changed: while the session is used, stopped at any point, and by one at a time."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from wa_core.crypto.derivation import Cost
from wa_core.errors import (
    CorruptRecordError,
    EngineUnavailableError,
    FencedError,
    LeaseHeldError,
    NoSessionError,
    UsageError,
    WrongKeyError,
)
from wa_core.seal import HEAD_KEY, Progress, SealedEngine, describe, rotate_data_key, rotate_key
from wa_core.seal import new_key as fresh_key
from wa_core.seal import rotation as rotation_module
from wa_core.seal.head import Head
from wa_core.storage import (
    Batch,
    CachedEngine,
    Engine,
    Lease,
    MemoryEngine,
    MemoryStore,
    Operation,
    TracedEngine,
    WrapperEngine,
    open_engine,
)

KEYS = (fresh_key(), fresh_key())
CHEAP = Cost(n=2, r=1, p=1)
SEED = random.randrange(2**32)


def first_key() -> str:
    return KEYS[0]


def second_key() -> str:
    return KEYS[1]


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation_module, "BATCH_RECORDS", 3)


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


def lease_runs_out(store: MemoryStore) -> None:
    """Let the lease of a process that died run out."""
    store.leases.release(store.leases.epoch)


async def test_a_new_data_key_seals_everything_at_its_own_position() -> None:
    store = MemoryStore()
    await filled(store, 20)
    engine = await sealed(store)
    before = await contents(engine)
    told: list[Progress] = []

    done = await rotate_data_key(engine, listener=told.append)

    assert (done.generation, done.total, done.seen, done.resealed) == (2, 20, 21, 20)
    assert await contents(engine) == await contents(await sealed(store)) == before
    assert generations(store) == {2}
    assert len(Head.from_bytes(store.values[HEAD_KEY]).keys) == 1
    assert [each.resealed for each in told] == sorted(each.resealed for each in told)
    assert (await describe(engine)) == (await describe(MemoryEngine(store)))


async def test_an_old_record_put_back_after_a_rotation_is_damaged() -> None:
    store = MemoryStore()
    await filled(store, 4)
    old = dict(store.values)
    engine = await sealed(store)
    await rotate_data_key(engine)
    store.values["chat/1/index"] = old["chat/1/index"]

    for reader in (engine, await sealed(store)):
        with pytest.raises(CorruptRecordError, match="chat/1/index"):
            await reader.get("chat/1/index")
    # The old key is in the old head alone; that one and its records are an old store as a whole.
    store.values[HEAD_KEY] = old[HEAD_KEY]
    with pytest.raises(CorruptRecordError):
        await (await sealed(store)).get("chat/2/index")


async def test_a_new_key_encryption_key_opens_and_the_old_one_does_not() -> None:
    store = MemoryStore()
    values = await filled(store, 4)
    records = {key: value for key, value in store.values.items() if key != HEAD_KEY}
    engine, beside = await sealed(store), await sealed(store)
    assert await beside.get("chat/1/index") == values["chat/1/index"]

    await rotate_key(engine, second_key, cost=CHEAP)

    with pytest.raises(WrongKeyError):
        await sealed(store)
    after = await sealed(store, second_key)
    assert await after.get_many(values) == await engine.get_many(values) == values
    assert {key: value for key, value in store.values.items() if key != HEAD_KEY} == records
    await engine.set("new", b"1")
    await beside.set("beside", b"2")
    assert await after.get_many(["new", "beside"]) == {"new": b"1", "beside": b"2"}
    await rotate_data_key(engine)
    assert await (await sealed(store, second_key)).get("new") == b"1"


async def test_both_keys_are_changed_from_words_to_a_key_and_back() -> None:
    store = MemoryStore()
    engine = await sealed(store, lambda: "correct horse battery")
    await engine.set("a", b"1")

    for key in (first_key, lambda: "another twelve words", second_key):
        await rotate_key(engine, key, cost=CHEAP)
        await rotate_data_key(engine)
        assert await (await sealed(store, key)).get("a") == b"1"

    told = await describe(engine)
    assert told is not None
    assert (told.generation, told.has_passphrase) == (4, False)


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


async def test_the_holder_of_the_lease_rotates_under_it() -> None:
    store = MemoryStore()
    await filled(store, 5)
    engine = await sealed(store)

    async with await engine.acquire("a worker", 60) as lease:
        await rotate_data_key(TracedEngine(CachedEngine(engine)), lease=lease)
        await rotate_key(engine, second_key, lease=lease, cost=CHEAP)
        await engine.apply(Batch().put("a", b"1"), fence=lease)

    assert await (await sealed(store, second_key)).get("a") == b"1"


async def test_nobody_rotates_beside_a_worker() -> None:
    store = MemoryStore()
    await filled(store, 5)
    worker, operator = await sealed(store), await sealed(store)
    before = dict(store.values)

    async with await worker.acquire("a worker", 60) as lease:
        for rotation in (
            rotate_data_key(operator),
            rotate_key(operator, second_key, cost=CHEAP),
        ):
            with pytest.raises(LeaseHeldError, match="a worker"):
                await rotation
        with pytest.raises(UsageError, match="through the engine that the lease was taken"):
            await rotate_data_key(operator, lease=lease)

    assert store.values == before


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


async def test_a_writer_without_a_lease_looks_which_key_is_the_newest() -> None:
    store = MemoryStore()
    await filled(store, 5)
    writer, reader = await sealed(store), await sealed(store)
    assert await writer.get("chat/1/index") == await reader.get("chat/1/index")

    await rotate_data_key(await sealed(store))
    await writer.set("a", b"1")

    assert generations(store) == {2}
    for engine in (reader, writer, await sealed(store)):
        assert await engine.get("a") == b"1"
        assert (await contents(engine))["chat/2/index"] == (b"value 2", 1014)


async def test_a_reader_follows_a_rotation_in_its_scan() -> None:
    store = MemoryStore()
    values = await filled(store, 5)
    reader = await sealed(store)
    assert await reader.count() == 5

    await rotate_data_key(await sealed(store))

    assert {key: value for key, (value, _) in (await contents(reader)).items()} == values


async def test_a_damaged_record_stops_a_rotation_and_keeps_the_old_key() -> None:
    store = MemoryStore()
    values = await filled(store, 10)
    store.values["chat/5/index"] = store.values["chat/5/index"][:-1] + b"\x00"

    with pytest.raises(CorruptRecordError, match="chat/5/index"):
        await rotate_data_key(await sealed(store))

    engine = await sealed(store)
    del values["chat/5/index"]
    assert await engine.get_many(values) == values
    await engine.set("chat/5", None)
    await rotate_data_key(engine)
    assert generations(store) == {2}


async def test_there_is_nothing_to_rotate_where_nothing_is_sealed() -> None:
    store = MemoryStore()

    for rotation in (rotate_data_key, lambda engine: rotate_key(engine, second_key)):
        with pytest.raises(NoSessionError):
            await rotation(await sealed(store))
        with pytest.raises(UsageError, match="only a sealed store"):
            await rotation(MemoryEngine(store))
    assert store.values == {}


async def test_a_session_without_records_changes_its_key_too() -> None:
    store = MemoryStore()
    engine = await sealed(store)
    await engine.set("a", b"1")
    await engine.set("a", None)

    done = await rotate_data_key(engine)

    assert (done.generation, done.resealed) == (2, 0)


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
