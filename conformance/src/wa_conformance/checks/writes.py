"""Checks of chapter W: a batch is one thing, wherever one looks at it from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from wa_core.errors import (
    EngineConfigError,
    InvalidKeyError,
    InvalidPositionError,
    UnsupportedError,
)
from wa_core.storage import Batch

from wa_conformance.bench import Bench
from wa_conformance.check import Need, check, refusal
from wa_conformance.filling import QUEUE_S, demand, expect_everything, fill
from wa_conformance.probe import Probe


@check("W1")
async def operations_run_in_their_order(bench: Bench) -> None:
    """Puts and deletes of a batch take effect one after the other, in the order given."""
    engine = await bench.open()
    await fill(bench, engine, {"a": b"old", "a/1": b"old", "b/1": b"old", "c": b"old"})
    batch = Batch().put("a/2", b"lost").delete("a").put("a/3", b"kept").put("b", b"lost")
    batch.put("b/2", b"lost").delete("b").put("c", b"first").put("c", b"second").put("c", b"third")
    batch.put("d", b"lost").delete("d").put("e", b"lost").delete("e").put("e", b"kept")
    await engine.apply(batch)
    await expect_everything(engine, {"a/3": b"kept", "c": b"third", "e": b"kept"})


@check("W1", also=("O1",))
async def the_last_put_on_a_key_places_it(bench: Bench) -> None:
    """Of several puts on one key in a batch, the last gives value and position."""
    engine = await bench.open()
    batch = Batch().put("a", b"1").put("b", b"1").put("c", b"1").put("a", b"2").put("b", b"2", at=5)
    await engine.apply(batch)
    await engine.expect_list(["a", "c", "b"])
    await engine.expect_many(["a", "b", "c"], {"a": b"2", "b": b"2", "c": b"1"})


@check("W1")
async def a_large_batch_is_applied_whole(bench: Bench) -> None:
    """A batch of thousands of puts and deletes is applied to its last operation."""
    engine = await bench.open()
    number = 2_500
    await engine.apply(_many(Batch(), range(number), b"1"))
    await engine.expect_count(number)
    batch = Batch()
    for one in range(0, number, 2):
        batch.delete(f"chat/{one % 7}/message/{one}")
    await engine.apply(_many(batch, range(number, number + 10), b"2"))
    await engine.expect_count(number // 2 + 10)
    await engine.expect_get(f"chat/{(number + 9) % 7}/message/{number + 9}", b"2")


def _many(batch: Batch, numbers: range, value: bytes) -> Batch:
    for number in numbers:
        batch.put(f"chat/{number % 7}/message/{number}", value)
    return batch


@check("W1")
async def a_batch_that_cannot_be_built_changes_nothing(bench: Bench) -> None:
    """An invalid key or position among valid operations leaves everything as it was."""
    engine = await bench.open()
    await fill(bench, engine, {"a": b"1"})
    engine.program.gap("the check builds batches that are refused")
    refused: tuple[tuple[Callable[[Batch], Batch], type[Exception]], ...] = (
        (lambda batch: batch.put("a//b", b"2"), InvalidKeyError),
        (lambda batch: batch.delete("../a"), InvalidKeyError),
        (lambda batch: batch.put("b", b"2", at=-1), InvalidPositionError),
    )
    for build, error in refused:
        try:
            await engine.apply(build(Batch().put("new", b"2").delete("a")))
        except error:
            await expect_everything(engine, {"a": b"1"})
        else:
            engine.fail("an invalid operation was taken into a batch")


@check("W1")
async def readers_see_a_batch_at_one_moment(bench: Bench) -> None:
    """Who has seen one key of a batch sees the others too: no key lags behind."""
    engine = await bench.open()
    await _watch_batches(bench, engine, engine)


@check("W1", Need.SECOND_OPENER)
async def other_openers_see_a_batch_at_one_moment(bench: Bench) -> None:
    """A second engine object on the session never sees half of a batch either."""
    engine = await bench.open()
    await engine.set("first", b"so that there is something to open")
    await _watch_batches(bench, engine, await bench.second())


async def _watch_batches(bench: Bench, writer: Probe, reader: Probe) -> None:
    keys = [f"folder-{number % 4}/key/{number}" for number in range(20)]
    await writer.apply(_generation(keys, 0))
    done = asyncio.Event()

    async def write() -> None:
        try:
            for number in range(1, 20 + bench.profile.rounds):
                await writer.apply(_generation(keys, number))
                await asyncio.sleep(0)
        finally:
            done.set()

    async def read() -> None:
        forwards = True
        while not done.is_set():
            seen, by = -1, ""
            for key in keys if forwards else reversed(keys):
                found = await reader.get(key)
                number = -1 if found is None else int(found)
                if number < seen:
                    reader.fail(f"{by!r} was of batch {seen}, {key!r} read later of {number}")
                seen, by = number, key
                await asyncio.sleep(0)
            forwards = not forwards
            listed = await reader.list("moving/", 0, None)
            if len(listed) != 1:
                reader.fail(f"one key moves in each batch, and {listed!r} was listed")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write())
        tasks.create_task(read())


def _generation(keys: list[str], number: int) -> Batch:
    batch = Batch().delete("moving")
    for key in keys:
        batch.put(key, str(number))
    return batch.put(f"moving/{number}", b"")


@check("W2", Need.PERSISTENT)
async def an_acknowledged_batch_is_there_after_reopening(bench: Bench) -> None:
    """What was written, rewritten and deleted is so after the engine was closed and opened."""
    engine = await bench.open()
    await engine.apply(Batch().put("a", b"1").put("a/1", b"2").put("b", b"").put("c/1/2", b"3"))
    await engine.apply(Batch().put("a", b"4").delete("c").put("B", b"5").put("a/2/1", b"6"))
    await engine.set("a/2", b"7")
    await engine.set("a/1", None)
    engine = await bench.reopen(engine)
    left = {"a": b"4", "a/2": b"7", "a/2/1": b"6", "b": b"", "B": b"5"}
    await expect_everything(engine, left)
    await engine.expect_list(["a/2", "a/2/1", "B", "a", "b"])
    await engine.expect_count(len(left))
    engine = await bench.reopen(engine)
    await expect_everything(engine, left)


@check("W3")
async def applying_a_batch_again_changes_nothing(bench: Bench) -> None:
    """The same batch, applied at once a second and third time, leaves the same records."""
    engine = await bench.open()
    await fill(bench, engine, {"a/old": b"1", "b": b"1", "keep": b"1"})
    batch = Batch().delete("a").put("a/new", b"2").put("b", b"2").delete("gone").put("c", b"")
    expected = {"a/new": b"2", "b": b"2", "c": b"", "keep": b"1"}
    for _ in range(3):
        await engine.apply(batch)
        await expect_everything(engine, expected)


@check("W3")
async def a_batch_applied_later_takes_effect_again(bench: Bench) -> None:
    """A batch that was applied before does its work again after other writes."""
    engine = await bench.open()
    batch = Batch().put("a", b"1").delete("b").put("b/x", b"1")
    await engine.apply(batch)
    await engine.apply(Batch().put("a", b"2").put("b", b"2").put("b/y", b"2"))
    await engine.apply(batch)
    await expect_everything(engine, {"a": b"1", "b/x": b"1"})


@check("W4")
async def set_writes_one_record(bench: Bench) -> None:
    """set(key, value) writes that record, at its position, and touches no other."""
    engine = await bench.open()
    await engine.set("a/1", b"1")
    await engine.set("a", b"2", at=9)
    await engine.set("b", "3", at=10)
    await expect_everything(engine, {"a/1": b"1", "a": b"2", "b": b"3"})
    await engine.expect_list(["a/1", "b", "a"])


@check("W4")
async def set_none_deletes_in_cascade(bench: Bench) -> None:
    """set(key, None) removes the key and all below it, as a delete in a batch does."""
    engine = await bench.open()
    await fill(bench, engine, ("a", "a/1", "a/1/2", "ab", "b"))
    await engine.set("a", None)
    await engine.expect_list(["b", "ab"])
    for key in ("a", "a/1", "a/1/2"):
        await engine.expect_get(key, None)


@check("W4", also=("W1",))
async def a_batch_of_one_is_a_set(bench: Bench) -> None:
    """A batch of one put or one delete does what set does."""
    engine = await bench.open()
    await engine.apply(Batch())
    await engine.apply(Batch().put("a", b"1", at=3))
    await engine.apply(Batch().put("a/1", b"2"))
    await expect_everything(engine, {"a": b"1", "a/1": b"2"})
    await engine.apply(Batch().delete("a"))
    await expect_everything(engine, {})


@check("W5", Need.SECOND_OPENER)
async def a_second_object_reads_what_was_written(bench: Bench) -> None:
    """Another engine object reads a new value, also where it has read the old one before."""
    engine = await bench.open()
    await engine.set("a", b"1")
    other = await bench.second()
    await other.expect_get("a", b"1")
    await engine.set("a", b"2")
    await other.expect_get("a", b"2")
    await engine.set("a", b"")
    await other.expect_many(["a"], {"a": b""})
    await engine.set("a", None)
    await other.expect_get("a", None)


@check("W5", Need.SECOND_OPENER)
async def a_second_object_remembers_no_absence(bench: Bench) -> None:
    """Another engine object that was told a key is absent reads it once it is written."""
    engine = await bench.open()
    await engine.set("first", b"1")
    other = await bench.second()
    await other.expect_get("session/creds", None)
    await other.expect_many(["session/creds", "lid/1"], {})
    await engine.set("session/creds", b"new")
    await other.expect_get("session/creds", b"new")
    await other.expect_many(["session/creds", "lid/1"], {"session/creds": b"new"})


@check("W5", Need.SECOND_OPENER)
async def a_second_object_lists_what_is_there(bench: Bench) -> None:
    """Another engine object lists and counts the new state, after writes, moves and deletes."""
    engine = await bench.open()
    await fill(bench, engine, ("chat/1", "chat/2"))
    other = await bench.second()
    await other.expect_list(["chat/2", "chat/1"], "chat/")
    await engine.set("chat/1", b"moved")
    await other.expect_list(["chat/1", "chat/2"], "chat/")
    await engine.set("chat/3/index", b"new")
    await other.expect_list(["chat/3/index", "chat/1", "chat/2"], "chat/")
    await other.expect_count(3)
    await engine.set("chat", None)
    await other.expect_list([], "chat/")
    await other.expect_count(0)


@check("W6")
async def calls_take_effect_in_their_order(bench: Bench) -> None:
    """Of many saves that nobody awaited in between, the last one called is the one that stays."""
    engine = await bench.open(timeout=QUEUE_S)
    number = bench.profile.tasks
    async with asyncio.TaskGroup() as tasks:
        for one in range(number):
            size = bench.rng.choice((1, 10, 2_000))
            value = str(one).encode() + b" " * size
            tasks.create_task(engine.set("session/creds", value))
    found = await engine.get("session/creds") or b""
    last = str(number - 1).encode()
    demand(engine, found.split() == [last], f"of {number} saves, {found[:9]!r} stayed")


@check("W6", also=("W1", "C1"))
async def batches_do_not_overtake_each_other(bench: Bench) -> None:
    """Large and small batches, puts and deletes, called at once, end in the order of the calls."""
    engine = await bench.open()
    for _ in range(bench.profile.rounds):
        expected: dict[str, bytes] = {}
        async with asyncio.TaskGroup() as tasks:
            for step in range(12):
                key = f"k/{bench.rng.randrange(3)}"
                if bench.rng.random() < 0.4:
                    expected = {each: value for each, value in expected.items() if each[:3] != key}
                    batch = Batch().delete(key)
                else:
                    value = str(step).encode() * bench.rng.choice((1, 4_000))
                    expected |= {key: value, f"{key}/below": value}
                    batch = Batch().put(key, value).put(f"{key}/below", value)
                tasks.create_task(engine.apply(batch))
        await expect_everything(engine, expected)
        await engine.set("k", None)


@refusal("W1")
async def an_unclaimed_batch_is_refused(bench: Bench) -> None:
    """Where batches are not claimed, one of several operations is refused and changes nothing."""
    engine = await bench.open()
    await engine.set("a", b"1")
    for batch in (Batch().put("b", b"2").put("c", b"2"), Batch().put("b", b"2").delete("a")):
        await engine.expect_raises((UnsupportedError, EngineConfigError), "apply", batch)
        await expect_everything(engine, {"a": b"1"})
    await engine.apply(Batch().put("b", b"one is a set"))
    await engine.expect_get("b", b"one is a set")
