"""The cached engine: it may forget, it may never be behind the store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wa_core.errors import EngineUnavailableError, FencedError, LeaseHeldError
from wa_core.storage import Batch, CachedEngine, Lease, MemoryEngine, MemoryStore, Operation
from wa_core.storage.cached import ENTRY_COST


class FakeClock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Inner(MemoryEngine):
    """A memory engine that counts its reads, and refuses or loses writes on demand."""

    def __init__(
        self, store: MemoryStore | None = None, *, shared: bool = False, read_only: bool = False
    ) -> None:
        super().__init__(store)
        self._capabilities = replace(self._capabilities, shared=shared, read_only=read_only)
        self.reads: list[tuple[str, ...]] = []
        self.refuses = False
        self.loses_answers = False

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        self.reads.append(tuple(keys))
        return await super()._get_many(keys)

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        if self.refuses:
            raise EngineUnavailableError("refused")
        await super()._apply(operations, fence)
        if self.loses_answers:
            raise EngineUnavailableError("the answer was lost")


async def cached(*, max_bytes: int = 10_000) -> tuple[CachedEngine, Inner]:
    inner = Inner()
    await inner.apply(Batch().put("a", b"1").put("a/b", b"2").put("ab", b"3"))
    return CachedEngine(inner, max_bytes=max_bytes), inner


async def test_what_was_read_once_is_not_read_again() -> None:
    engine, inner = await cached()

    assert [await engine.get("a") for _ in range(3)] == [b"1"] * 3
    assert await engine.get_many(["a", "ab", "none"]) == {"a": b"1", "ab": b"3"}

    assert inner.reads == [("a",), ("ab", "none")]


async def test_what_was_written_is_not_read_at_all() -> None:
    engine, inner = await cached()

    await engine.apply(Batch().put("a", b"x").put("new", b"y").put("a", b"z"))

    assert await engine.get_many(["new", "a"]) == {"new": b"y", "a": b"z"}
    assert inner.reads == []


async def test_absence_is_never_remembered() -> None:
    engine, inner = await cached()

    assert await engine.get("none") is None
    assert await engine.get("none") is None
    await inner.set("none", b"now")
    assert await engine.get("none") == b"now"

    assert inner.reads == [("none",)] * 3


async def test_a_cascade_forgets_what_is_below_and_no_sibling() -> None:
    engine, inner = await cached()
    await engine.get_many(["a", "a/b", "ab"])
    inner.reads.clear()

    await engine.apply(Batch().put("a/c", b"4").delete("a").put("a/d", b"5"))

    assert await engine.get_many(["a", "a/b", "a/c", "a/d", "ab"]) == {"a/d": b"5", "ab": b"3"}
    assert inner.reads == [("a", "a/b", "a/c")]


async def test_a_clear_forgets_everything() -> None:
    engine, _ = await cached()
    await engine.get_many(["a", "ab"])

    await engine.clear()

    assert engine.cached_bytes == 0
    assert await engine.get_many(["a", "ab"]) == {}


async def test_nothing_is_remembered_before_the_write_returned() -> None:
    engine, inner = await cached()
    await engine.get("a")
    inner.store.stall()
    task = asyncio.create_task(engine.set("a", b"new"))
    await asyncio.sleep(0)

    assert engine.cached_bytes == 0
    inner.store.resume()
    await task
    assert await engine.get("a") == b"new"


@pytest.mark.parametrize("fault", ["refuses", "loses_answers"])
async def test_a_write_that_failed_leaves_nothing_of_its_keys(fault: str) -> None:
    engine, inner = await cached()
    await engine.get_many(["a", "a/b", "ab"])
    inner.reads.clear()
    setattr(inner, fault, True)

    with pytest.raises(EngineUnavailableError):
        await engine.apply(Batch().put("new", b"x").delete("a"))

    assert await engine.get_many(["a", "a/b", "new"]) == await inner.get_many(["a", "a/b", "new"])
    assert await engine.get("ab") == b"3"
    assert ("ab",) not in inner.reads


async def test_while_a_failed_write_may_still_land_no_read_is_remembered() -> None:
    engine, inner = await cached()
    inner.refuses = True
    with pytest.raises(EngineUnavailableError):
        await engine.set("a", b"late")
    inner.refuses = False

    assert await engine.get("a") == b"1"
    await MemoryEngine(inner.store).set("a", b"late")
    assert await engine.get("a") == b"late"

    await engine.set("other", b"")
    inner.reads.clear()
    assert [await engine.get("a"), await engine.get("a")] == [b"late"] * 2
    assert inner.reads == [("a",)]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=60), st.randoms())
@settings(max_examples=40)
def test_with_three_writes_of_ten_failing_the_cache_is_the_store(
    steps: list[tuple[int, int]], dice: object
) -> None:
    async def check() -> None:
        engine, inner = await cached()
        names = ["a", "a/b", "ab", "c"]
        for number, (which, chance) in enumerate(steps):
            inner.refuses, inner.loses_answers = chance < 2, chance == 2
            try:
                await engine.set(names[which], None if chance > 7 else str(number))
            except EngineUnavailableError:
                assert chance < 3
            assert await engine.get_many(names) == await inner.get_many(names)
            for key, value in engine._held.items():
                assert inner.store.values[key] == value

    asyncio.run(check())


async def test_the_cache_stays_within_its_bytes_and_drops_the_oldest_use() -> None:
    room = 2 * (ENTRY_COST + 1 + 10)
    engine, inner = await cached(max_bytes=room)
    for key in ("x", "y"):
        await engine.set(key, bytes(10))
    assert engine.cached_bytes == room
    await engine.get("x")

    await engine.set("z", bytes(10))

    assert engine.cached_bytes == room
    inner.reads.clear()
    await engine.get_many(["x", "z"])
    assert inner.reads == []
    await engine.get("y")
    assert inner.reads == [("y",)]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 400)), max_size=30))
@settings(max_examples=40)
def test_the_bytes_are_the_sum_of_what_is_held(writes: list[tuple[str, int]]) -> None:
    async def check() -> None:
        engine, _ = await cached(max_bytes=1000)
        for key, size in writes:
            await engine.set(key, bytes(size) if size else None)
            await engine.get(key)
            held = sum(len(k) + len(v) + ENTRY_COST for k, v in engine._held.items())
            assert engine.cached_bytes == held <= 1000
        engine.drop()
        assert engine.cached_bytes == 0

    asyncio.run(check())


def two_on_one_store(clock: FakeClock) -> tuple[CachedEngine, Inner, MemoryEngine]:
    store = MemoryStore()
    store.leases._now = clock
    inner = Inner(store, shared=True)
    return CachedEngine(inner, now=clock), inner, MemoryEngine(store)


async def test_on_a_shared_engine_nothing_is_remembered_without_a_lease() -> None:
    engine, _, other = two_on_one_store(FakeClock())
    await engine.set("a", b"1")
    assert await engine.get("a") == b"1"

    await other.set("a", b"2")

    assert await engine.get("a") == b"2"
    assert engine.cached_bytes == 0


async def test_on_a_shared_engine_a_lease_allows_remembering_until_it_ends() -> None:
    clock = FakeClock()
    engine, inner, other = two_on_one_store(clock)
    lease = await engine.acquire("me", 10)
    await engine.apply(Batch().put("a", b"1"), fence=lease)
    clock.seconds += 9
    await lease.renew()
    clock.seconds += 9.9
    assert await engine.get("a") == b"1"
    assert inner.reads == []

    clock.seconds += 0.1
    await other.apply(Batch().put("a", b"2"), fence=await other.acquire("other", 10))

    assert await engine.get("a") == b"2"
    assert engine.cached_bytes == 0


async def test_a_released_lease_ends_remembering() -> None:
    engine, _, other = two_on_one_store(FakeClock())
    async with await engine.acquire("me", 10):
        await engine.set("a", b"1")
        assert engine.cached_bytes > 0

    assert engine.cached_bytes == 0
    await other.set("a", b"2")
    assert await engine.get("a") == b"2"


async def test_a_renewal_that_failed_ends_remembering() -> None:
    clock = FakeClock()
    engine, inner, other = two_on_one_store(clock)
    lease = await engine.acquire("me", 10)
    await engine.set("a", b"1")
    inner.store.leases.release(lease.epoch)
    await other.acquire("other", 10)

    with pytest.raises(FencedError):
        await lease.renew()

    assert engine.cached_bytes == 0


async def test_a_lease_that_was_refused_allows_nothing() -> None:
    engine, _, other = two_on_one_store(FakeClock())
    await other.acquire("other", 10)

    with pytest.raises(LeaseHeldError):
        await engine.acquire("me", 10)
    await engine.set("a", b"1")

    assert engine.cached_bytes == 0


async def test_what_was_read_before_the_lease_is_not_remembered_under_it() -> None:
    engine, inner, other = two_on_one_store(FakeClock())
    await other.set("a", b"old")
    gate, reading = asyncio.Event(), inner._get_many

    async def read_slowly(keys: Sequence[str]) -> dict[str, bytes]:
        found = await reading(keys)
        await gate.wait()
        return found

    inner._get_many = read_slowly  # type: ignore[method-assign]
    reader = asyncio.create_task(engine.get("a"))
    await asyncio.sleep(0)
    await other.set("a", b"new")
    await engine.acquire("me", 10)
    gate.set()

    assert await reader == b"old"
    assert await engine.get("a") == b"new"


async def test_beside_a_writer_a_reader_remembers_nothing() -> None:
    store = MemoryStore()
    writer = MemoryEngine(store)
    engine = CachedEngine(Inner(store, read_only=True))
    await writer.set("a", b"1")
    assert await engine.get("a") == b"1"

    await writer.set("a", b"2")

    assert await engine.get("a") == b"2"
