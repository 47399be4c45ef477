"""The memory engine: the contract's own logic, and the faults it shows on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wa_core.errors import (
    CorruptRecordError,
    EngineUnavailableError,
    FencedError,
    LeaseHeldError,
    ValueTooLargeError,
)
from wa_core.storage import (
    FULL,
    Batch,
    Delete,
    Durability,
    Entry,
    MemoryEngine,
    MemoryStore,
    Operation,
    Put,
)
from wa_core.storage.memory import SCAN_CHUNK

KEYS = ["a", "a/b", "a/b/c", "a!", "ab", "a/_at_", "%", "*", "a/*", "_", "é", "e\u0301", "A"]
keys = st.sampled_from(KEYS)
operations = st.one_of(
    st.builds(Put, keys, st.binary(max_size=4), st.none() | st.integers(0, 3)),
    st.builds(Delete, keys),
)


def applied(model: dict[str, bytes], batch: list[Operation]) -> None:
    """Do to a dict what a batch does to a session."""
    for operation in batch:
        if isinstance(operation, Put):
            model[operation.key] = operation.value
        else:
            for key in [k for k in model if (k + "/").startswith(operation.key + "/")]:
                del model[key]


@given(st.lists(st.lists(operations, max_size=6), max_size=8))
@settings(max_examples=60)
def test_any_batches_leave_what_a_dict_would_hold(batches: list[list[Operation]]) -> None:
    async def check() -> None:
        engine, model = MemoryEngine(), dict[str, bytes]()
        for batch in batches:
            await engine.apply(Batch(batch))
            applied(model, batch)

            assert await engine.get_many(KEYS) == model
            assert sorted(await engine.list(limit=None)) == sorted(model)
            assert {e.key: e.value async for e in engine.scan()} == model
            for prefix in ("", "a", "a/", "é"):
                expected = sum(key.startswith(prefix) for key in model)
                assert await engine.count(prefix) == expected
        assert set(engine.store.values) == set(model)

    asyncio.run(check())


async def test_it_claims_all_that_is_not_about_durability() -> None:
    capabilities = MemoryEngine().capabilities

    assert capabilities.claims == FULL - {"D1", "D2"}
    assert capabilities.durability is Durability.VOLATILE
    assert capabilities.shared


async def test_lists_are_newest_first_with_ties_by_key() -> None:
    engine = MemoryEngine()
    await engine.apply(Batch().put("b", b"", at=5).put("a", b"", at=5).put("c", b"", at=9))
    await engine.set("newest", b"")

    assert await engine.list() == ["newest", "c", "a", "b"]
    await engine.set("b", b"again")
    assert await engine.list(limit=2) == ["b", "newest"]
    assert await engine.list(offset=2, limit=2) == ["c", "a"]


async def test_two_engines_on_one_store_are_one_session() -> None:
    store = MemoryStore()
    one, two = MemoryEngine(store), MemoryEngine(store)

    await one.set("a", b"1")

    assert await two.get("a") == b"1"
    assert await MemoryEngine().get("a") is None


async def test_a_damaged_record_is_neither_absent_nor_old() -> None:
    engine = MemoryEngine()
    await engine.apply(Batch().put("a", b"1").put("b", b"2"))
    engine.store.damage("a")

    with pytest.raises(CorruptRecordError) as caught:
        await engine.get("a")
    with pytest.raises(CorruptRecordError):
        await engine.get_many(["b", "a"])
    with pytest.raises(CorruptRecordError):
        [entry async for entry in engine.scan()]
    assert caught.value.key == "a"
    assert await engine.get("b") == b"2"
    assert await engine.list() == ["b", "a"]

    await engine.set("a", b"3")
    assert await engine.get("a") == b"3"


async def test_deleting_a_damaged_record_heals_its_key() -> None:
    engine = MemoryEngine()
    await engine.set("a/b", b"1")
    engine.store.damage("a/b")

    await engine.set("a", None)
    assert await engine.get("a/b") is None
    await engine.set("a/b", b"2")
    assert await engine.get("a/b") == b"2"


CALLS: dict[str, Callable[[MemoryEngine], object]] = {
    "get": lambda engine: engine.get("a"),
    "apply": lambda engine: engine.set("a", b"2"),
    "list": lambda engine: engine.list(),
    "count": lambda engine: engine.count(),
    "acquire": lambda engine: engine.acquire("me", 1),
    "clear": lambda engine: engine.clear(),
    "scan": lambda engine: anext(engine.scan()),
}


@pytest.mark.parametrize("name", list(CALLS))
async def test_a_stalled_store_is_unavailable_and_unchanged(name: str) -> None:
    engine = MemoryEngine(timeout=0.02)
    await engine.set("a", b"1")
    engine.store.stall()

    call = CALLS[name](engine)
    with pytest.raises(EngineUnavailableError):
        await call  # type: ignore[misc]

    engine.store.resume()
    assert await engine.get("a") == b"1"
    assert (await engine.acquire("other", 1)).holder == "other"


async def test_calls_that_waited_for_a_stalled_store_go_on() -> None:
    engine = MemoryEngine()
    engine.store.stall()
    task = asyncio.create_task(engine.set("a", b"1"))
    await asyncio.sleep(0)
    assert not task.done()

    engine.store.resume()
    await task

    assert await engine.get("a") == b"1"


async def test_what_waited_takes_effect_before_what_was_called_later() -> None:
    engine = MemoryEngine()
    engine.store.stall()
    tasks = [asyncio.create_task(engine.set("a", text)) for text in ("1", "2")]
    await asyncio.sleep(0)

    engine.store.resume()
    await engine.set("a", "3")
    await asyncio.gather(*tasks)

    assert await engine.get("a") == b"3"


async def test_stalling_twice_and_resuming_once_is_enough() -> None:
    engine = MemoryEngine()
    engine.store.resume()
    engine.store.stall()
    engine.store.stall()
    engine.store.resume()

    assert await engine.count() == 0


async def test_a_fence_is_checked_with_the_write() -> None:
    store = MemoryStore()
    one, two = MemoryEngine(store), MemoryEngine(store)
    lease = await one.acquire("one", 60)
    with pytest.raises(LeaseHeldError, match="held by 'one'"):
        await two.acquire("two", 60)
    await two.apply(Batch().put("a", b"1"), fence=lease)

    await lease.release()
    newer = await two.acquire("two", 60)
    with pytest.raises(FencedError):
        await one.apply(Batch().put("a", b"2").delete("b"), fence=lease)
    with pytest.raises(FencedError):
        await lease.renew()

    assert newer.epoch == lease.epoch + 1
    assert await one.get("a") == b"1"


async def test_a_clear_keeps_leases_and_positions_of_the_session() -> None:
    engine = MemoryEngine()
    lease = await engine.acquire("me", 60)
    await engine.set("a", b"1")
    last = engine.store.clock.last

    await engine.clear()

    assert await engine.count() == 0
    assert engine.store.values == {}
    await engine.apply(Batch().put("a", b"2"), fence=lease)
    assert (engine.store.index.position("a") or 0) > last


async def test_a_scan_yields_what_stayed_while_others_wrote() -> None:
    engine = MemoryEngine()
    stays = [f"k/{n:05}" for n in range(0, 3 * SCAN_CHUNK)]
    batch = Batch()
    for key in stays:
        batch.put(key, key)
    await engine.apply(batch)
    seen: list[Entry] = []

    async for entry in engine.scan("k/"):
        seen.append(entry)
        number = len(seen)
        await engine.set(f"k/{number:05}-new", b"")
        await engine.set(f"k/{number:05}-new", None)
        if number == SCAN_CHUNK // 2:
            await engine.set(stays[-1], b"rewritten")

    found = [entry.key for entry in seen if not entry.key.endswith("-new")]
    assert found == stays
    assert seen[-1].value == b"rewritten"


async def test_a_scan_leaves_out_what_is_deleted_ahead_of_it() -> None:
    engine = MemoryEngine()
    await engine.apply(Batch().put("a", b"").put("b", b"").put("c", b""))
    source = engine.scan()

    first = await anext(source)
    await engine.set("b", None)

    assert first.key == "a"
    assert [entry.key async for entry in source] == ["c"]


async def test_a_value_of_the_largest_size_goes_in_and_one_more_byte_does_not() -> None:
    engine = MemoryEngine()
    limit = engine.capabilities.max_value

    await engine.set("a", bytes(limit))
    with pytest.raises(ValueTooLargeError):
        await engine.set("b", bytes(limit + 1))

    assert len(await engine.get("a") or b"") == limit
    assert await engine.get("b") is None
