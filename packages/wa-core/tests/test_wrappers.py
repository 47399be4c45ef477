"""Engines in front of engines: they pass everything on, and add one thing each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from itertools import count

import pytest
from wa_core.errors import (
    CorruptRecordError,
    EngineClosedError,
    EngineUnavailableError,
    FencedError,
    ReadOnlyError,
    ValueTooLargeError,
    WaError,
)
from wa_core.storage import (
    Batch,
    CachedEngine,
    Engine,
    Entry,
    MemoryEngine,
    OperationStats,
    ReadOnlyEngine,
    TracedEngine,
    WrapperEngine,
)
from wa_core.storage.traced import BUCKETS_S

WRAPPERS: list[Callable[[Engine], WrapperEngine]] = [WrapperEngine, TracedEngine, CachedEngine]


class Ticking:
    """A clock on which every reading is one second later."""

    def __init__(self) -> None:
        self._ticks: Iterator[int] = count()

    def __call__(self) -> float:
        return float(next(self._ticks))


async def filled(**fields: bytes) -> MemoryEngine:
    engine = MemoryEngine(timeout=0.05)
    batch = Batch()
    for key, value in (fields or {"a": b"1", "b": b"2"}).items():
        batch.put(key, value)
    await engine.apply(batch)
    return engine


async def cancelled(call: Awaitable[object]) -> None:
    """Begin a call and cancel it."""
    task = asyncio.ensure_future(call)
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("wrap", WRAPPERS)
async def test_a_wrapper_does_what_the_engine_inside_does(
    wrap: Callable[[Engine], WrapperEngine],
) -> None:
    inner = await filled()
    engine = wrap(wrap(inner))

    await engine.apply(Batch().put("c", b"3", at=1).delete("a"))

    assert await engine.get("c") == await inner.get("c") == b"3"
    assert await engine.get("a") is None
    assert await engine.get_many(["b", "a", "c"]) == {"b": b"2", "c": b"3"}
    assert await engine.list() == ["b", "c"]
    assert await engine.list("", 1, 1) == ["c"]
    assert await engine.count("c") == 1
    assert [entry.key async for entry in engine.scan()] == ["b", "c"]
    assert engine.capabilities == inner.capabilities
    assert engine.timeout > inner.timeout
    await engine.clear()
    assert await inner.count() == 0


@pytest.mark.parametrize("wrap", WRAPPERS)
async def test_a_lease_through_a_wrapper_fences_inside(
    wrap: Callable[[Engine], WrapperEngine],
) -> None:
    inner = await filled()
    engine = wrap(inner)

    async with await engine.acquire("me", 60) as lease:
        await engine.apply(Batch().put("a", b"fenced"), fence=lease)
        await lease.renew(30)
    with pytest.raises(FencedError):
        await engine.apply(Batch().put("a", b"late"), fence=lease)

    assert await inner.get("a") == b"fenced"
    assert (await inner.acquire("other", 1)).epoch == 2


@pytest.mark.parametrize("wrap", WRAPPERS)
async def test_the_error_of_the_engine_inside_comes_out(
    wrap: Callable[[Engine], WrapperEngine],
) -> None:
    inner = await filled()
    engine = wrap(inner)
    inner.store.damage("a")

    with pytest.raises(CorruptRecordError):
        await engine.get("a")
    with pytest.raises(ValueTooLargeError):
        await engine.set("x", bytes(inner.capabilities.max_value + 1))
    inner.store.stall()
    with pytest.raises(EngineUnavailableError, match=r"within 0\.05 s"):
        await engine.get("b")


@pytest.mark.parametrize("wrap", WRAPPERS)
async def test_closing_a_wrapper_closes_what_is_inside(
    wrap: Callable[[Engine], WrapperEngine],
) -> None:
    inner = await filled()
    async with wrap(inner):
        pass

    with pytest.raises(EngineClosedError):
        await inner.get("a")


async def test_batches_through_wrappers_keep_their_order() -> None:
    inner = await filled()
    engine = TracedEngine(CachedEngine(WrapperEngine(inner)))
    inner.store.stall()
    tasks = [asyncio.create_task(engine.set("a", str(n))) for n in range(20)]
    await asyncio.sleep(0)

    inner.store.resume()
    await asyncio.gather(*tasks)

    assert await inner.get("a") == await engine.get("a") == b"19"


async def test_read_only_reads_and_refuses_every_write() -> None:
    inner = await filled()
    lease = await inner.acquire("me", 60)
    engine = ReadOnlyEngine(inner)

    for call in (
        engine.set("a", b"x"),
        engine.set("a", None),
        engine.apply(Batch()),
        engine.acquire("other", 1),
        engine.renew_lease(lease, 1),
        engine.release_lease(lease),
        engine.clear(),
    ):
        with pytest.raises(ReadOnlyError):
            await call

    assert engine.capabilities.read_only
    assert engine.capabilities.claims == inner.capabilities.claims
    assert await engine.get_many(["a", "b"]) == {"a": b"1", "b": b"2"}
    assert [entry.key async for entry in engine.scan()] == ["a", "b"]
    assert await inner.count() == 2


async def test_every_operation_is_counted_and_timed_by_name() -> None:
    engine = TracedEngine(await filled(), clock=Ticking())

    await engine.get("a")
    await engine.get_many(["a", "b", "none"])
    await engine.apply(Batch().put("c", b"").delete("a"))
    await engine.list()
    await engine.count()
    lease = await engine.acquire("me", 60)
    await lease.renew()
    await lease.release()
    assert len([entry async for entry in engine.scan()]) == 2
    await engine.clear()

    counted = {name: (s.calls, s.items, s.seconds) for name, s in engine.stats.items()}
    assert counted == {
        "get": (2, 4, 2.0),
        "apply": (1, 2, 1.0),
        "list": (1, 2, 1.0),
        "count": (1, 0, 1.0),
        "acquire": (1, 0, 1.0),
        "renew": (1, 0, 1.0),
        "release": (1, 0, 1.0),
        "scan": (1, 2, 1.0),
        "clear": (1, 0, 1.0),
    }
    assert not any(stats.errors for stats in engine.stats.values())


async def test_an_error_is_counted_by_its_code() -> None:
    inner = await filled()
    engine = TracedEngine(inner)
    inner.store.damage("a")

    for _ in range(2):
        with pytest.raises(CorruptRecordError):
            await engine.get("a")
    with pytest.raises(CorruptRecordError):
        [entry async for entry in engine.scan()]
    inner.store.stall()
    with pytest.raises(EngineUnavailableError):
        await engine.set("a", b"1")

    assert engine.stats["get"].errors == {"corrupt-record": 2}
    assert engine.stats["get"].calls == 2
    assert engine.stats["scan"].errors == {"corrupt-record": 1}
    assert engine.stats["apply"].errors == {"engine-unavailable": 1}


async def test_what_is_refused_before_the_engine_is_not_counted() -> None:
    engine = TracedEngine(await filled())

    with pytest.raises(WaError):
        await engine.get("../a")

    assert engine.stats == {}


async def test_a_cancelled_call_is_counted_as_cancelled() -> None:
    inner = await filled()
    engine = TracedEngine(inner)
    inner.store.stall()

    await cancelled(engine.get("a"))
    await cancelled(engine.set("a", b"2"))

    assert engine.stats["get"].errors == {"CancelledError": 1}
    assert engine.stats["apply"].errors == {"CancelledError": 1}
    assert engine.stats["apply"].calls == 1


async def test_a_scan_that_was_stopped_early_is_no_error() -> None:
    engine = TracedEngine(await filled(a=b"", b=b"", c=b""))

    async with aclosing(engine.scan()) as source:
        async for _ in source:
            break

    assert engine.stats["scan"].errors == {}
    assert (engine.stats["scan"].calls, engine.stats["scan"].items) == (1, 1)


@pytest.mark.parametrize("wrap", WRAPPERS)
async def test_a_scan_that_was_stopped_early_ends_inside(
    wrap: Callable[[Engine], WrapperEngine],
) -> None:
    ended = []

    class Watched(MemoryEngine):
        async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
            try:
                async with aclosing(super()._scan(prefix)) as source:
                    async for entry in source:
                        yield entry
            finally:
                ended.append(prefix)

    inner = Watched()
    await inner.apply(Batch().put("a", b"").put("b", b""))
    async with aclosing(wrap(inner).scan("")) as source:
        await anext(source)

    assert ended == [""]


def test_a_call_is_counted_in_the_bucket_of_its_time() -> None:
    stats = OperationStats()

    for seconds in (0.0, BUCKETS_S[0], BUCKETS_S[0] * 1.01, 0.002, 99.0):
        stats.record(seconds)

    expected = [0] * (len(BUCKETS_S) + 1)
    expected[0], expected[1], expected[3], expected[-1] = 2, 1, 1, 1
    assert stats.buckets == expected
    assert list(BUCKETS_S) == sorted(BUCKETS_S)
    assert stats.calls == 5
