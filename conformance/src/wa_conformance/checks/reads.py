"""Checks of chapter G: absent, damaged and silent are three different answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from wa_core.errors import CorruptRecordError, EngineUnavailableError
from wa_core.storage import Batch

from wa_conformance.bench import Bench
from wa_conformance.check import Need, check
from wa_conformance.filling import demand, fill, open_impatient
from wa_conformance.probe import GRACE_S, Probe
from wa_conformance.wakeful import awake_for


@check("G1")
async def absent_is_none(bench: Bench) -> None:
    """A key that was never written, or is only the beginning of one, reads as None."""
    engine = await bench.open()
    await engine.expect_get("session/creds", None)
    await fill(bench, engine, ("chat/1/index", "session", "lid/99"))
    for key in ("chat", "chat/1", "chat/1/index/below", "session/creds", "lid/9", "lid/999", "Lid"):
        await engine.expect_get(key, None)


@check("G1")
async def never_absent_while_rewritten(bench: Bench) -> None:
    """While a key is rewritten, over and over, no read of it says that it is absent."""
    engine = await bench.open()
    await engine.set("session/creds", b"0")
    done = asyncio.Event()

    async def rewrite() -> None:
        try:
            for number in range(1, 20 + bench.profile.rounds):
                await engine.set("session/creds", str(number).encode() * (1 + number % 3))
                await asyncio.sleep(0)
        finally:
            done.set()

    async def read() -> None:
        while not done.is_set():
            found = await engine.get("session/creds")
            if found is None or not found:
                engine.fail(f"get('session/creds') returned {found!r} while it was rewritten")
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(rewrite())
        tasks.create_task(read())


@check("G2", Need.DAMAGE)
async def a_damaged_record_is_reported(bench: Bench) -> None:
    """Reading a damaged record raises CorruptRecordError with its key: never None, nor older."""
    engine = await bench.open()
    await _damaged(bench, engine)
    for method, argument in (("get", "bad"), ("get_many", ["fine", "bad"]), ("get_many", ["bad"])):
        error = await engine.expect_raises(CorruptRecordError, method, argument)
        demand(engine, error.key == "bad", f"the error names {error.key!r}, not 'bad'")


@check("G2", Need.DAMAGE)
async def its_neighbours_are_still_read(bench: Bench) -> None:
    """Other records are read, listed and written while one is damaged."""
    engine = await bench.open()
    await _damaged(bench, engine)
    await engine.expect_get("fine", b"intact")
    await engine.expect_many(
        ["fine", "bad/below", "absent"], {"fine": b"intact", "bad/below": b"x"}
    )
    await engine.set("fine", b"rewritten")
    await engine.expect_get("fine", b"rewritten")


@check("G2", Need.DAMAGE, also=("S1",))
async def a_scan_does_not_skip_a_damaged_record(bench: Bench) -> None:
    """A scan that comes to a damaged record raises CorruptRecordError."""
    engine = await bench.open()
    await _damaged(bench, engine)
    await engine.expect_raises(CorruptRecordError, "scan")
    await engine.expect_scan({"fine": (b"intact", None)}, "fine")


@check("G2", Need.DAMAGE)
async def a_rewrite_heals(bench: Bench) -> None:
    """Writing a damaged record anew makes it readable."""
    engine = await bench.open()
    await _damaged(bench, engine)
    await engine.set("bad", b"healed")
    await engine.expect_get("bad", b"healed")


@check("G2", Need.DAMAGE)
async def a_damaged_record_can_be_deleted(bench: Bench) -> None:
    """Deleting a damaged record works, and then it is absent."""
    engine = await bench.open()
    await _damaged(bench, engine)
    await engine.set("bad", None)
    await engine.expect_get("bad", None)
    await engine.expect_many(["bad", "bad/below", "fine"], {"fine": b"intact"})


@check("G2", Need.DAMAGE, Need.PERSISTENT)
async def damage_is_still_seen_after_reopening(bench: Bench) -> None:
    """A store that is opened again with a damaged record says so; the record is not absent."""
    engine = await bench.open()
    await _damaged(bench, engine)
    try:
        engine = await bench.reopen(engine)
    except CorruptRecordError:
        return
    await engine.expect_raises(CorruptRecordError, "get", "bad")
    await engine.expect_get("fine", b"intact")


async def _damaged(bench: Bench, engine: Probe) -> None:
    await engine.set("bad", b"the older value of this record")
    await engine.set("fine", b"intact")
    await engine.set("bad/below", b"x")
    await engine.set("bad", b"the value that is about to be damaged")
    engine.program.gap("a record was damaged behind the engine's back")
    await bench.hooks.damage(engine.engine, "bad")


@check("G3", Need.STALL)
async def a_silent_backend_is_no_absence(bench: Bench) -> None:
    """While the backend is silent, get and get_many raise EngineUnavailableError."""
    engine = await _silent(bench)
    try:
        for read in (lambda: engine.engine.get("k"), lambda: engine.engine.get_many(["k", "no"])):
            await _expect_unavailable(engine, read)
    finally:
        await bench.hooks.resume(engine.engine)
    await engine.expect_get("k", b"written before")


@check("G3", Need.STALL)
async def a_silent_backend_is_no_empty_list(bench: Bench) -> None:
    """While the backend is silent, list and count are right or raise, they are never empty."""
    engine = await _silent(bench)
    try:
        listed = await _unless_unavailable(engine, lambda: engine.engine.list("", 0, None))
        counted = await _unless_unavailable(engine, lambda: engine.engine.count(""))
    finally:
        await bench.hooks.resume(engine.engine)
    demand(engine, listed in (None, ["k"]), f"list returned {listed!r}, the session holds 'k'")
    demand(engine, counted in (None, 1), f"count returned {counted!r}, the session holds 1")


@check("G3", Need.STALL, also=("S1",))
async def a_silent_backend_is_no_end_of_a_scan(bench: Bench) -> None:
    """While the backend is silent, a scan raises, it does not end as if all had been read."""
    engine = await _silent(bench)

    async def scanned() -> list[str]:
        return [entry.key async for entry in engine.engine.scan()]

    try:
        found = await _unless_unavailable(engine, scanned)
    finally:
        await bench.hooks.resume(engine.engine)
    demand(engine, found in (None, ["k"]), f"the scan ended with {found!r}, and 'k' is there")


async def _silent(bench: Bench) -> Probe:
    """Open an engine that has read nothing yet, in front of a backend that went silent."""
    began = time.monotonic()
    writer = await bench.open()
    await writer.set("k", b"written before")
    await writer.close()
    engine = await open_impatient(bench, time.monotonic() - began)
    engine.program.gap("the backend was silenced behind the engine's back")
    await bench.hooks.stall(engine.engine)
    return engine


async def _expect_unavailable(engine: Probe, call: Callable[[], Awaitable[object]]) -> None:
    found = await _unless_unavailable(engine, call)
    if found is not None:
        engine.fail(f"the backend was silent, and the call returned {found!r}")


async def _unless_unavailable(engine: Probe, call: Callable[[], Awaitable[object]]) -> object:
    """Return what the call returns, an absence as a word; None when it raised as it must."""
    try:
        async with awake_for(engine.engine.timeout + GRACE_S):
            found = await call()
    except EngineUnavailableError:
        return None
    except TimeoutError:
        engine.fail("the call did not end in time")
    return "None" if found is None else found


@check("G4")
async def absent_keys_are_left_out(bench: Bench) -> None:
    """get_many returns the keys that are there, each once, and no entry for the others."""
    engine = await bench.open()
    await fill(bench, engine, {"a": b"1", "b": b"2", "a/c": b"3"})
    await engine.expect_many([], {})
    await engine.expect_many(["x", "y/z"], {})
    await engine.expect_many(["b", "x", "a", "b", "a/c/d", "a"], {"a": b"1", "b": b"2"})


@check("G4")
async def any_iterable_of_keys_will_do(bench: Bench) -> None:
    """get_many takes a generator, a set or the keys of a dictionary."""
    engine = await bench.open()
    expected = await fill(bench, engine, {"a": b"1", "b": b"2"})
    engine.program.gap("the keys came from a generator")
    for keys in ((key for key in "axb"), {"a", "x", "b"}, {"b": 0, "a": 1, "x": 2}.keys()):
        found = await engine.engine.get_many(keys)
        demand(engine, found == expected, f"get_many returned {found!r} for {keys!r}")


@check("G4")
async def thousands_of_keys_at_once(bench: Bench) -> None:
    """get_many answers for thousands of keys in one call, present and absent ones mixed."""
    engine = await bench.open()
    written = await fill(bench, engine, [f"pre-key/{number}" for number in range(400)])
    asked = [f"pre-key/{number}" for number in range(bench.profile.keys)]
    bench.rng.shuffle(asked)
    await engine.expect_many(asked, written)


@check("G4", also=("W1",))
async def get_many_shows_one_moment(bench: Bench) -> None:
    """get_many reads all its keys at one moment: never half of a batch that lands meanwhile."""
    engine = await bench.open()
    keys = [f"folder-{number % 5}/key/{number}" for number in range(20)]
    hosts = ["host/a", "host/b/x", "host/c"]
    await engine.apply(_generation(keys, 0).put(hosts[0], b"the guest"))
    done = asyncio.Event()

    async def write() -> None:
        try:
            for number in range(1, 20 + bench.profile.rounds):
                batch = _generation(keys, number).put(hosts[number % 3], b"the guest")
                await engine.apply(batch.delete(hosts[(number - 1) % 3]))
                await asyncio.sleep(0)
        finally:
            done.set()

    async def read() -> None:
        while not done.is_set():
            found = await engine.get_many(keys)
            if len(found) != len(keys) or len(set(found.values())) != 1:
                engine.fail(f"get_many saw two generations at once: {found!r}")
            there = await engine.get_many(hosts)
            if len(there) != 1:
                engine.fail(f"a guest moves from host to host, and was seen at {sorted(there)!r}")
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write())
        tasks.create_task(read())


def _generation(keys: list[str], number: int) -> Batch:
    batch = Batch()
    for key in keys:
        batch.put(key, str(number))
    return batch
