"""Keys that are changed: both of them, by one at a time, and seen by everybody."""

from __future__ import annotations

import pytest
from seal_bench.stores import (
    CHEAP,
    contents,
    filled,
    first_key,
    generations,
    sealed,
    second_key,
)
from wa_core.errors import (
    CorruptRecordError,
    LeaseHeldError,
    NoSessionError,
    UsageError,
    WrongKeyError,
)
from wa_core.seal import HEAD_KEY, Progress, describe, rotate_data_key, rotate_key
from wa_core.seal import rotation as rotation_module
from wa_core.seal.head import Head
from wa_core.storage import (
    Batch,
    CachedEngine,
    MemoryEngine,
    MemoryStore,
    TracedEngine,
)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation_module, "BATCH_RECORDS", 3)


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
