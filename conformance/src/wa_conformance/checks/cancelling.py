"""Checks of clause X1: a cancel may come at any await, and leaves nothing half done."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import aclosing
from itertools import count

from wa_core.storage import Batch

from wa_conformance.bench import Bench
from wa_conformance.check import Need, check
from wa_conformance.checks.leases import LATE_S, taken_over
from wa_conformance.filling import demand, fill, open_when_free
from wa_conformance.growth import median_of
from wa_conformance.probe import Probe
from wa_conformance.ticks import (
    Call,
    Ending,
    at_every_await,
    cancelled,
    cancelled_within,
    moments,
    no_leftovers,
)

PATIENT_S = "3"
"""The timeout of these engines: a lock that stays behind is to show soon."""
_KEYS = ("folder/a", "folder/b", "other/c", "other/c/d", "e")


@check("X1", also=("W1",))
async def a_cancelled_batch_is_whole_or_not_there(bench: Bench) -> None:
    """A batch that is cancelled at any await, or moment, is wholly applied or not at all."""
    engine = await bench.open(timeout=PATIENT_S)
    await engine.apply(_batch(0))
    numbers = count(1)
    async with no_leftovers(engine):
        async for _ in at_every_await(lambda: engine.engine.apply(_batch(next(numbers)))):
            await _expect_whole(engine)
        took = await median_of(engine, lambda: engine.engine.apply(_batch(next(numbers))))
        for _ in range(bench.profile.rounds):
            wait = bench.rng.uniform(0, 1.5 * took)
            await cancelled_within(lambda: engine.engine.apply(_batch(next(numbers))), seconds=wait)
            await _expect_whole(engine)


def _batch(number: int) -> Batch:
    batch = Batch().delete("marked")
    for key in _KEYS:
        batch.put(key, str(number))
    return batch.put(f"marked/{number}", b"")


async def _expect_whole(engine: Probe) -> None:
    await engine.set("after", b"the batch took effect before this, or never")
    found = await engine.get_many(_KEYS)
    listed = await engine.list("marked/")
    numbers = {value.decode() for value in found.values()} | {key[7:] for key in listed}
    whole = len(found) == len(_KEYS) and len(listed) == 1 and len(numbers) == 1
    demand(engine, whole, f"a cancelled batch is there in part: {found!r}, {listed!r}")


@check("X1")
async def a_cancelled_write_does_not_land_later(bench: Bench) -> None:
    """What was written after a cancelled write stays: the write does not arrive behind it."""
    engine = await bench.open(timeout=PATIENT_S)
    numbers = count()
    async with no_leftovers(engine):
        async for _ in at_every_await(lambda: engine.engine.set("k", f"late {next(numbers)}")):
            await engine.set("k", b"newer")
            await _expect_to_stay(engine, "k", b"newer", ticks=20)
        # A write that a thread or a timer brings late has until here.
        await cancelled(lambda: engine.engine.set("k", b"late"), ticks=1)
        await engine.set("k", b"newest")
        await asyncio.sleep(0.1)
        await engine.expect_get("k", b"newest")


async def _expect_to_stay(engine: Probe, key: str, value: bytes, *, ticks: int) -> None:
    for _ in range(ticks):
        await asyncio.sleep(0)
    await engine.expect_get(key, value)


@check("X1")
async def a_cancelled_write_leaves_the_engine_usable(bench: Bench) -> None:
    """After a write, a delete or a clear that was cancelled, all calls work as before."""
    engine = await bench.open(timeout=PATIENT_S)
    raw = engine.engine
    calls: tuple[Call, ...] = (
        lambda: raw.set("a/b", b"x"),
        lambda: raw.set("a", None),
        lambda: raw.clear(),
    )
    async with no_leftovers(engine):
        for call in calls:
            async for _ in at_every_await(call):
                await _expect_usable(engine)


@check("X1")
async def a_cancelled_read_leaves_the_engine_usable(bench: Bench) -> None:
    """After a get, get_many, list or count that was cancelled, all calls work as before."""
    engine = await bench.open(timeout=PATIENT_S)
    await fill(bench, engine, [f"chat/{number}" for number in range(60)])
    raw = engine.engine
    calls: tuple[Call, ...] = (
        lambda: raw.get("chat/1"),
        lambda: raw.get_many([f"chat/{number}" for number in range(60)]),
        lambda: raw.list("chat/"),
        lambda: raw.count("chat"),
    )
    async with no_leftovers(engine):
        for call in calls:
            async for _ in at_every_await(call):
                await _expect_usable(engine)


async def _expect_usable(engine: Probe) -> None:
    await engine.set("probe", b"1")
    await engine.expect_get("probe", b"1")
    await engine.expect_list(["probe"], "probe")
    await engine.set("probe", None)
    await engine.expect_count(0, "probe")


@check("X1", also=("S1",))
async def a_scan_may_be_left(bench: Bench) -> None:
    """A scan that is cancelled, closed half way, or just forgotten leaves the engine usable."""
    engine = await bench.open(timeout=PATIENT_S)
    await fill(bench, engine, [f"chat/{number}" for number in range(300)], chunk=300)

    async def scanned() -> int:
        async with aclosing(engine.engine.scan("chat/")) as entries:
            return len([entry async for entry in entries])

    async with no_leftovers(engine):
        async for _ in at_every_await(scanned):
            await _expect_usable(engine)
        for steps in (0, 1, 5, 299):
            async with aclosing(engine.engine.scan()) as entries:
                for _ in range(steps):
                    await anext(entries)
            await _expect_usable(engine)
        await _forget_a_scan(engine)
        await _expect_usable(engine)


async def _forget_a_scan(engine: Probe) -> None:
    async for _ in engine.engine.scan():
        break
    gc.collect()
    for _ in range(20):
        await asyncio.sleep(0)


@check("X1", also=("L1", "L2"))
async def a_cancelled_acquire_holds_nothing_for_long(bench: Bench) -> None:
    """After a cancelled acquire the lease is free, or free when its short time is over."""
    engine = await bench.open(timeout=PATIENT_S)
    ttl = 0.1
    async with no_leftovers(engine):
        for ticks in _few_moments():
            ending = await cancelled(lambda: engine.engine.acquire("lost", ttl), ticks=ticks)
            lease = await taken_over(engine, "next", within=ttl + LATE_S)
            await engine.engine.apply(Batch().put("k", b"x"), fence=lease)
            await lease.release()
            if ending is Ending.DONE:
                break


def _few_moments() -> Iterator[int]:
    return (ticks for ticks in moments() if ticks < 6 or ticks % 3 == 0)


@check("X1")
async def a_cancel_is_not_swallowed(bench: Bench) -> None:
    """A call that is cancelled while it waits ends as cancelled: its caller's timeout works."""
    engine = await bench.open(timeout=PATIENT_S)
    raw = engine.engine
    await engine.set("k", b"1")
    engine.program.gap("calls were cancelled")
    calls: dict[str, Call] = {
        "set": lambda: raw.set("k", b"2"),
        "get": lambda: raw.get("k"),
        "list": lambda: raw.list("k"),
    }
    for name, call in calls.items():
        # The first cancel comes before the call has begun, which no engine can swallow.
        endings = [ending async for ending in at_every_await(call)][1:]
        swallowed = Ending.RETURNED in endings and Ending.CANCELLED not in endings
        demand(engine, not swallowed, f"{name} was cancelled {len(endings)} times, and went on")


@check("X1", Need.NOT_SHARED)
async def a_cancelled_open_leaves_no_writer(bench: Bench) -> None:
    """Opening that is cancelled at any await leaves nobody in the writer's place."""
    engine = await bench.open()
    await engine.set("k", b"1")
    await engine.close()
    engine.program.gap("an opening was cancelled")
    for ticks in _few_moments():
        task = asyncio.ensure_future(bench.target.open(bench.session))
        for _ in range(ticks):
            await asyncio.sleep(0)
        if task.done():
            await task.result().close()
            break
        task.cancel()
        await asyncio.wait((task,))
        if not task.cancelled():
            await task.result().close()
        engine = await open_when_free(bench)
        await engine.expect_get("k", b"1")
        await engine.close()
