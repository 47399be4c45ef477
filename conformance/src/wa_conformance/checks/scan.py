"""Checks of chapter S: a scan is how a session is copied, so that it must miss nothing."""

from __future__ import annotations

import gc
import tracemalloc
from contextlib import aclosing

from wa_core.errors import EngineConfigError, UnsupportedError
from wa_core.storage import Batch

from wa_conformance.bench import Bench
from wa_conformance.check import Need, check, refusal
from wa_conformance.filling import demand, fill, value_of
from wa_conformance.probe import Probe


@check("S1")
async def a_scan_yields_everything(bench: Bench) -> None:
    """A scan yields every record once: nested, empty, tied and hostile ones, with its value."""
    engine = await bench.open()
    values = {"a": b"1", "a/b": b"", "a/b/c": b"3", "A": b"4", "b*": b"5", "\U0001f600": b"6"}
    written = await fill(bench, engine, values)
    written |= await fill(bench, engine, {f"tied/{n}": b"x" for n in range(30)}, at=7)
    await engine.expect_scan({key: (value, None) for key, value in written.items()})
    await engine.expect_scan({}, "nothing/")


@check("S1")
async def a_scan_shows_positions(bench: Bench) -> None:
    """A scan yields explicit positions as they were given, and given ones in their order."""
    engine = await bench.open()
    await engine.set("old", b"x", at=1_699_999_999_123_457)
    await engine.set("zero", b"x", at=0)
    for key in ("b", "a", "c"):
        await engine.set(key, b"x")
    found = {entry.key: entry.at for entry in await engine.scan()}
    demand(engine, found["old"] == 1_699_999_999_123_457, f"'old' stands at {found['old']}")
    demand(engine, found["zero"] == 0, f"'zero' stands at {found['zero']}")
    given = [found["b"], found["a"], found["c"]]
    demand(engine, given == sorted(set(given)), f"in the order of writing: {given}")


@check("S1")
async def a_scan_keeps_to_its_prefix(bench: Bench) -> None:
    """A scan of a prefix yields what begins with it, inside a segment too, and nothing else."""
    engine = await bench.open()
    keys = ("chat/1", "chat/1/index", "chat/10", "chat/2", "chat", "cha", "Chat/1", "x/chat/1")
    await fill(bench, engine, keys)
    for prefix in ("", "chat/1", "chat/", "chat/1/", "c", "chat/10", "zz"):
        wanted = {key: (value_of(key), None) for key in keys if key[: len(prefix)] == prefix}
        await engine.expect_scan(wanted, prefix)


@check("S1")
async def a_long_scan_misses_nothing(bench: Bench) -> None:
    """A scan over thousands of records, more than any chunk holds, yields each exactly once."""
    engine = await bench.open()
    keys = [f"chat/{number % 9}/message/{number}" for number in range(2_300)]
    written = await fill(bench, engine, keys, chunk=500)
    await _expect_each_once(engine, dict(written))
    below = {key: value for key, value in written.items() if key.startswith("chat/4/")}
    await _expect_each_once(engine, below, "chat/4/")


async def _expect_each_once(engine: Probe, left: dict[str, bytes], prefix: str = "") -> None:
    engine.program.gap("the check counts what a scan yields")
    async with aclosing(engine.engine.scan(prefix)) as entries:
        async for entry in entries:
            value = left.pop(entry.key, None)
            demand(
                engine, value is not None, f"{entry.key!r} came twice, or is not below {prefix!r}"
            )
            demand(engine, value == entry.value, f"{entry.key!r} came with {entry.value!r}")
    demand(engine, not left, f"the scan missed {len(left)} keys, {sorted(left)[:5]!r} among them")


@check("S1")
async def a_scan_holds_while_others_write(bench: Bench) -> None:
    """Records that stay are scanned exactly once while others come, go, move and change."""
    engine = await bench.open()
    await _expect_stable(bench, engine, engine)


@check("S1", Need.SECOND_OPENER)
async def a_scan_holds_while_another_object_writes(bench: Bench) -> None:
    """Records that stay are scanned exactly once while another engine object writes."""
    writer = await bench.open()
    await writer.set("first", b"so that there is something to open")
    await _expect_stable(bench, await bench.second(), writer)


async def _expect_stable(bench: Bench, reader: Probe, writer: Probe) -> None:
    stays = [f"k/{number:04}/stays" for number in range(0, 700, 2)]
    goes = [f"k/{number:04}/goes" for number in range(1, 700, 2)]
    await fill(bench, writer, [*stays, *goes], chunk=700)
    reader.program.gap("others write during the scan")
    seen: dict[str, int] = {}
    async with aclosing(reader.engine.scan("k/")) as entries:
        async for entry in entries:
            seen[entry.key] = seen.get(entry.key, 0) + 1
            demand(reader, entry.value.startswith(b"value of"), f"{entry.key!r}: {entry.value!r}")
            if len(seen) % 7 == 0:
                await writer.engine.apply(_disturbance(bench, stays, goes))
    wrong = {key: seen.get(key, 0) for key in stays if seen.get(key, 0) != 1}
    demand(reader, not wrong, f"of 350 records that stayed, {len(wrong)} came not once: {wrong!r}")


def _disturbance(bench: Bench, stays: list[str], goes: list[str]) -> Batch:
    batch = Batch()
    for _ in range(3):
        batch.delete(bench.rng.choice(goes))
    batch.put(f"k/{bench.rng.randrange(700):04}/new/{bench.rng.random()}", b"value of a new one")
    moved = bench.rng.choice(stays)
    batch.put(moved, value_of(moved), at=bench.rng.choice((None, 0, 2**53 - 1)))
    return batch.put(bench.rng.choice(stays), b"value of another kind")


@check("S1")
async def two_scans_do_not_disturb_each_other(bench: Bench) -> None:
    """Two scans of one engine object, step by step in turn, each yield everything."""
    engine = await bench.open()
    written = await fill(bench, engine, [f"k/{number}" for number in range(150)])
    engine.program.gap("two scans ran at the same time")
    first: dict[str, bytes] = {}
    second: dict[str, bytes] = {}
    async with aclosing(engine.engine.scan()) as one, aclosing(engine.engine.scan("k/")) as two:
        async for entry in one:
            first[entry.key] = entry.value
            other = await anext(two, None)
            if other is not None:
                second[other.key] = other.value
        second |= {entry.key: entry.value async for entry in two}
    demand(engine, first == written, f"the first scan yielded {len(first)} of 150 records")
    demand(engine, second == written, f"the second scan yielded {len(second)} of 150 records")


@check("S1")
async def a_scan_takes_constant_memory(bench: Bench) -> None:
    """Scanning four times as many records takes no more memory: it does not load them first."""
    engine = await bench.open()
    value = bytes(range(256)) * 16
    small = 500
    await fill(bench, engine, {f"k/{number}": value for number in range(small)})
    few = await _peak_of_scan(engine)
    rest = {f"k/{number}": value for number in range(small, 4 * small)}
    await fill(bench, engine, rest)
    many = await _peak_of_scan(engine)
    allowed = 2 * few + 1_000_000
    demand(engine, many <= allowed, f"{few} bytes for {small} records, {many} for {4 * small}")


async def _peak_of_scan(engine: Probe) -> int:
    engine.program.gap("the check measures memory")
    gc.collect()
    tracemalloc.start()
    try:
        async with aclosing(engine.engine.scan()) as entries:
            async for _ in entries:
                pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@refusal("S1")
async def an_unclaimed_scan_is_refused(bench: Bench) -> None:
    """Where scan is not claimed it is refused, and does not pass for an empty session."""
    engine = await bench.open()
    await engine.set("a", b"1")
    await engine.expect_raises((UnsupportedError, EngineConfigError), "scan")
    await engine.expect_get("a", b"1")
