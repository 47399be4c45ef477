"""Checks of chapter O, first half: positions, and the order that they make."""

from __future__ import annotations

import asyncio
import time

from wa_core.errors import InvalidPositionError
from wa_core.storage import MAX_POSITION, Batch

from wa_conformance.bench import Bench
from wa_conformance.check import Need, check
from wa_conformance.filling import QUEUE_S, clock_of, demand, expect_everything, fill, positions
from wa_conformance.probe import Probe


@check("O1", also=("S1",))
async def explicit_positions_are_kept(bench: Bench) -> None:
    """A position given with at= is kept to the microsecond, from 0 to 2**53 - 1."""
    engine = await bench.open()
    given: tuple[int, ...] = (
        0,
        1,
        999,
        1_000,
        1_699_999_999_123_457,
        1_700_000_000_000_001,
        2**52 + 1,
        2**31,
        2**32,
    )
    given += (MAX_POSITION - 1, MAX_POSITION, 4_102_444_800_000_003)
    for number, at in enumerate(given):
        await engine.set(f"k/{number}", b"x", at=at)
    await engine.expect_scan({f"k/{number}": (b"x", at) for number, at in enumerate(given)})


@check("O1")
async def explicit_positions_order_the_list(bench: Bench) -> None:
    """Keys written in any order, with at=, are listed by it as numbers, to the last digit."""
    engine = await bench.open()
    given = [0, 1, 2, 9, 10, 99, 100, 2**31, 2**32, 10**15, 1_700_000_000_000_000]
    given += [1_700_000_000_000_001, 1_700_000_000_000_999, 2**52, 2**52 + 1, MAX_POSITION - 1]
    given.append(MAX_POSITION)
    shuffled = bench.rng.sample(given, len(given))
    for at in shuffled:
        await engine.set(f"k/{at}", b"x", at=at)
    await engine.expect_list([f"k/{at}" for at in reversed(given)])


@check("O1")
async def bad_positions_are_refused(bench: Bench) -> None:
    """A position below 0, above 2**53 - 1 or no integer raises, and nothing changes."""
    engine = await bench.open()
    await engine.set("a", b"1")
    for at in (-1, MAX_POSITION + 1, 2**64, 1.5, "7", True):
        await engine.expect_raises(InvalidPositionError, "set", "a", b"2", at=at)
        await engine.expect_raises(InvalidPositionError, "set", "b", b"2", at=at)
    await expect_everything(engine, {"a": b"1"})


@check("O1", also=("S1",))
async def a_given_position_is_the_time(bench: Bench) -> None:
    """A position that the engine gives is in microseconds, and no earlier than its clock."""
    engine = await bench.open()
    for number in range(20):
        before = clock_of(bench)
        await engine.set("k", str(number))
        found = (await positions(engine))["k"]
        after = time.time_ns() // 1_000
        engine.program.gap("the check compares with the clock")
        if not before <= found <= MAX_POSITION or found > after + 3_600_000_000:
            engine.fail(f"written between {before} and {after}, the key stands at {found}")


@check("O1")
async def a_burst_is_listed_newest_first(bench: Bench) -> None:
    """Writes within one microsecond, or millisecond, are listed in the order in which they came."""
    engine = await bench.open()
    names = [f"chat/{number}" for number in range(200)]
    bench.rng.shuffle(names)
    for name in names:
        await engine.set(name, b"x")
    await engine.expect_list(names[::-1], limit=None)


@check("O1", also=("W1",))
async def a_batch_gives_each_put_its_position(bench: Bench) -> None:
    """The puts of one batch are listed in the order in which they stand in it."""
    engine = await bench.open()
    names = [f"chat/{number}" for number in range(60)]
    for _ in range(3):
        bench.rng.shuffle(names)
        batch = Batch()
        for name in names:
            batch.put(name, b"x")
        await engine.apply(batch)
        await engine.expect_list(names[::-1], limit=None)


@check("O1", also=("S1", "W1"))
async def no_position_is_given_twice(bench: Bench) -> None:
    """Every given position is greater than all before it, also those of deleted keys."""
    engine = await bench.open()
    last = -1
    for number in range(30):
        await engine.apply(Batch().put("a/1", b"x").put("a/2", b"x").put("b", b"x"))
        found = await positions(engine)
        row = [found["a/1"], found["a/2"], found["b"]]
        if not last < row[0] < row[1] < row[2]:
            engine.fail(f"after {last} the engine gave {row}")
        last = row[2]
        await engine.set(("a", "b", "a/2")[number % 3], None)


@check("O1")
async def tasks_get_positions_in_turn(bench: Bench) -> None:
    """Writes from many tasks at once never share a position: later ones are listed first."""
    engine = await bench.open(timeout=QUEUE_S)
    tasks = min(bench.profile.tasks, 200)
    for _ in range(3):
        names = [f"k/{number}" for number in range(tasks)]
        bench.rng.shuffle(names)
        await asyncio.gather(*(engine.set(name, b"x") for name in names))
        first = await engine.list("", limit=None)
        await engine.set("k/last", b"x")
        await engine.expect_list(
            ["k/last", *(name for name in first if name != "k/last")], limit=None
        )
        await engine.set("k/last", None)
        demand(
            engine, sorted(first) == sorted(names), f"{len(set(first))} of {tasks} keys were listed"
        )


@check("O1", Need.SHARED)
async def two_clients_share_one_clock(bench: Bench) -> None:
    """Writes that two engine objects make in turn are listed in the order in which they came."""
    engine = await bench.open()
    other = await bench.second()
    names = [f"chat/{number}" for number in range(60)]
    bench.rng.shuffle(names)
    for number, name in enumerate(names):
        await (engine, other)[number % 2].set(name, b"x")
    await engine.expect_list(names[::-1], limit=None)
    await other.expect_list(names[::-1], limit=None)


@check("O1")
async def the_far_future_does_not_use_positions_up(bench: Bench) -> None:
    """After at=2**53 - 1 the engine still gives positions, growing and in range."""
    engine = await bench.open()
    await engine.set("0/far", b"x", at=MAX_POSITION)
    for name in ("c", "a", "b"):
        await engine.set(name, b"x")
    await engine.expect_list(["0/far", "b", "a", "c"])
    if "S1" in bench.claims:
        found = await positions(engine)
        demand(engine, max(found.values()) == MAX_POSITION, f"positions: {found!r}")


@check("O1")
async def the_past_does_not_turn_the_clock_back(bench: Bench) -> None:
    """After a write with an old position, the next one without is the newest."""
    engine = await bench.open()
    await engine.set("b", b"x")
    await engine.set("old", b"x", at=1_000_000)
    await engine.set("a", b"x")
    await engine.expect_list(["a", "b", "old"])
    await engine.set("b", b"x", at=0)
    await engine.set("c", b"x")
    await engine.expect_list(["c", "a", "old", "b"])


@check("O1", Need.PERSISTENT)
async def the_order_survives_reopening(bench: Bench) -> None:
    """Opened again, a store lists its keys as before, given and explicit positions alike."""
    engine = await bench.open()
    names = [f"chat/{number}" for number in range(40)]
    bench.rng.shuffle(names)
    for number, name in enumerate(names):
        await engine.set(name, b"x", at=1_000 + number % 7 if number % 3 == 0 else None)
    listed = await engine.list("", limit=None)
    for _ in range(2):
        engine = await bench.reopen(engine)
        await engine.expect_list(listed, limit=None)


@check("O1", Need.PERSISTENT, also=("S1",))
async def positions_survive_reopening(bench: Bench) -> None:
    """Opened again, a store shows every position as it was, to the microsecond."""
    engine = await bench.open()
    await fill(bench, engine, ("a", "a/b", "c"))
    for number, at in enumerate((0, 123_456_789, 1_699_999_999_123_457, MAX_POSITION)):
        await engine.set(f"explicit/{number}", b"x", at=at)
    before = {entry.key: (entry.value, entry.at) for entry in await engine.scan()}
    engine = await bench.reopen(engine)
    await engine.expect_scan(before)


@check("O1", Need.PERSISTENT, also=("S1", "W1"))
async def positions_go_on_after_reopening(bench: Bench) -> None:
    """What is written after opening again stands above all that was ever given, kept or deleted."""
    engine = await bench.open()
    last = -1
    for turn in range(4):
        batch = Batch()
        for number in range(50):
            batch.put(f"k/{number}", b"x")
        await engine.apply(batch)
        found = await positions(engine)
        engine.program.gap("the check compares positions over time")
        if min(found.values()) <= last:
            engine.fail(f"opened again, the engine gave {min(found.values())} after {last}")
        last = max(found.values())
        if turn % 2:
            await engine.set("k", None)
        engine = await bench.reopen(engine)


@check("O2")
async def newest_first(bench: Bench) -> None:
    """The key written last is listed first, whatever the keys are called."""
    engine = await bench.open()
    names = ["m", "a/1", "z", "a", "Z", "b/c/d", "0", "b", "\u00e9", "a/0"]
    for name in names:
        await engine.set(name, b"x")
    await engine.expect_list(names[::-1])


@check("O2")
async def ties_by_utf8_bytes(bench: Bench) -> None:
    """Keys at one position are listed by their UTF-8 bytes: not by UTF-16, nor folder, nor case."""
    engine = await bench.open()
    names = [
        "A",
        "B",
        "Z",
        "_",
        "a",
        "a-b",
        "a.b",
        "a/b",
        "a/b/c",
        "a0",
        "ab",
        "b",
        "\u00e9",
        "\uffff",
    ]
    names += ["e\u0301", "\U00010000", "\U0001f600", "\U0010ffff", "\ue000", "10", "2", "a b", "~"]
    expected = sorted(names, key=str.encode)
    for at in (5, 1_700_000_000_000_000):
        for name in bench.rng.sample(names, len(names)):
            await engine.set(name, b"x", at=at)
        await engine.expect_list(expected)
    await engine.expect_list([name for name in expected if name.startswith("a")], "a")


@check("O3")
async def a_rewrite_comes_first(bench: Bench) -> None:
    """A key that is written again without a position is the newest, even with the same value."""
    engine = await bench.open()
    await fill(bench, engine, {"a": b"1", "b": b"1", "c": b"1"})
    await engine.set("a", b"2")
    await engine.expect_list(["a", "c", "b"])
    await engine.set("b", b"1")
    await engine.expect_list(["b", "a", "c"])
    await engine.set("b", b"1")
    await engine.expect_count(3)


@check("O3")
async def a_rewrite_moves_to_its_position(bench: Bench) -> None:
    """A key that is written again with at= moves there, up or down, and stays where it is told."""
    engine = await bench.open()
    await _at(engine, a=100, b=200, c=300)
    await _at(engine, a=250)
    await engine.expect_list(["c", "a", "b"])
    await _at(engine, c=150)
    await engine.expect_list(["a", "b", "c"])
    await engine.set("b", b"without")
    await _at(engine, b=10)
    await engine.expect_list(["a", "c", "b"])
    await _at(engine, a=250, c=150)
    await engine.expect_list(["a", "c", "b"])
    await engine.set("c", b"now")
    await engine.expect_list(["c", "a", "b"])


@check("O3", also=("C1",))
async def a_deleted_key_has_no_place_to_return_to(bench: Bench) -> None:
    """A key that was deleted and is written again stands at its new position."""
    engine = await bench.open()
    await _at(engine, a=2**52, b=200, c=300)
    await engine.set("a", None)
    await _at(engine, a=100)
    await engine.expect_list(["c", "b", "a"])
    await engine.set("b", None)
    await engine.set("b", b"x")
    await engine.expect_list(["b", "c", "a"])


async def _at(engine: Probe, **where: int) -> None:
    for key, at in where.items():
        await engine.set(key, b"x", at=at)
