"""Checks of clause X2: tasks share an engine object, and writers share a session or are told."""

from __future__ import annotations

import asyncio

from wa_core.errors import EngineBusyError
from wa_core.storage import Batch

from wa_conformance.bench import Bench
from wa_conformance.check import Need, check
from wa_conformance.filling import QUEUE_S, demand, expect_everything, fill, value_of
from wa_conformance.probe import Probe


@check("X2")
async def many_tasks_write_at_once(bench: Bench) -> None:
    """Records that many tasks write at the same time are all kept, listed and counted."""
    engine = await bench.open(timeout=QUEUE_S)
    keys = [f"chat/{number % 5}/message/{number}" for number in range(bench.profile.tasks)]
    async with asyncio.TaskGroup() as tasks:
        for key in keys:
            tasks.create_task(engine.set(key, value_of(key)))
    await expect_everything(engine, {key: value_of(key) for key in keys})
    await engine.expect_count(len(keys))


@check("X2")
async def many_tasks_read_at_once(bench: Bench) -> None:
    """Tasks that read different keys at the same time each get their own answer."""
    engine = await bench.open(timeout=QUEUE_S)
    written = await fill(bench, engine, [f"k/{number}" for number in range(40)])
    engine.program.gap("calls ran at the same time")

    async def read(number: int) -> None:
        key = f"k/{number % 40}"
        found = await engine.get(key)
        demand(engine, found == written[key], f"get({key!r}) returned {found!r}")
        wanted = [key, f"absent/{number}", f"k/{(number + 7) % 40}"]
        many = await engine.get_many(wanted)
        right = {each: written[each] for each in wanted if each in written}
        demand(engine, many == right, f"get_many({wanted!r}) returned {many!r}")
        listed = await engine.list(key, limit=1_000)
        demand(engine, key in listed and len(listed) < 40, f"list({key!r}) returned {listed!r}")

    async with asyncio.TaskGroup() as tasks:
        for number in range(bench.profile.tasks):
            tasks.create_task(read(number))


@check("X2", also=("W1", "C1"))
async def reads_writes_and_deletes_mix(bench: Bench) -> None:
    """Tasks that write, read, list and delete trees of their own find them as they left them."""
    engine = await bench.open(timeout=QUEUE_S)

    async def live(number: int) -> None:
        root = f"task/{number}"
        await engine.apply(Batch().put(root, b"1").put(f"{root}/a", b"2").put(f"{root}/b", b"3"))
        await engine.set(f"{root}/a", None)
        found = await engine.get_many([root, f"{root}/a", f"{root}/b"])
        demand(engine, found == {root: b"1", f"{root}/b": b"3"}, f"{root!r}: {found!r}")
        listed = await engine.list(f"{root}/")
        demand(engine, listed == [f"{root}/b"], f"below {root!r} was listed {listed!r}")
        if number % 2:
            await engine.set(root, None)
            gone = await engine.get(root)
            demand(engine, gone is None, f"{root!r} was deleted and reads {gone!r}")

    number = min(bench.profile.tasks, 200)
    async with asyncio.TaskGroup() as tasks:
        for one in range(number):
            tasks.create_task(live(one))
    await engine.expect_count(2 * ((number + 1) // 2))


@check("X2", Need.SHARED)
async def two_writers_share_a_session(bench: Bench) -> None:
    """What two engine objects write at the same time is all kept, and both read it."""
    engine = await bench.open()
    other = await bench.second()
    keys = [f"k/{number}" for number in range(100)]
    async with asyncio.TaskGroup() as tasks:
        for number, key in enumerate(keys):
            tasks.create_task((engine, other)[number % 2].set(key, value_of(key)))
    for probe in (engine, other):
        await expect_everything(probe, {key: value_of(key) for key in keys})


@check("X2", Need.SHARED, also=("W1", "C1"))
async def batches_of_two_writers_do_not_mix(bench: Bench) -> None:
    """Batches and deletes that two engine objects apply at once leave one batch, whole."""
    engine = await bench.open()
    other = await bench.second()
    keys = [f"shared/{number}" for number in range(12)]
    for turn in range(bench.profile.rounds):
        async with asyncio.TaskGroup() as tasks:
            for name, probe in (("a", engine), ("b", other)):
                batch = Batch().delete("shared")
                for key in keys if name == "a" else reversed(keys):
                    batch.put(key, f"{name}{turn}")
                tasks.create_task(probe.apply(batch))
        found = await engine.get_many(keys)
        whole = len(found) == len(keys) and len(set(found.values())) == 1
        demand(engine, whole, f"two batches were mixed: {found!r}")
        await other.expect_many(keys, found)


@check("X2", Need.NOT_SHARED)
async def a_second_writer_is_told_who_is_there(bench: Bench) -> None:
    """Opening a second writer raises EngineBusyError that names the first, who notices nothing."""
    engine = await bench.open()
    await engine.set("k", b"1")
    engine.program.gap("a second writer was refused")
    for _ in range(2):
        error = await _refused(bench, engine)
        demand(engine, bool(error.holder.strip()), "the error does not name the holder")
        demand(engine, error.holder in str(error), f"the message does not name it: {error}")
    await engine.set("k", b"2")
    await engine.expect_get("k", b"2")


async def _refused(bench: Bench, engine: Probe) -> EngineBusyError:
    try:
        second = await bench.target.open(bench.session)
    except EngineBusyError as exc:
        return exc
    await second.close()
    engine.fail("a second writer was let in")
    raise AssertionError("unreachable")


@check("X2", Need.NOT_SHARED)
async def the_next_writer_may_come(bench: Bench) -> None:
    """When the writer has closed, the next one opens, and finds what was written."""
    for number in range(4):
        engine = await bench.open()
        await engine.expect_get("k", None if number == 0 else str(number - 1).encode())
        await engine.set("k", str(number))
        await engine.close()


@check("X2", Need.NOT_SHARED, Need.SECOND_OPENER)
async def readers_may_come_beside_the_writer(bench: Bench) -> None:
    """Readers open beside the one writer, read what it writes, and do not disturb it."""
    engine = await bench.open()
    await engine.set("k", b"1")
    readers = [await bench.open(read_only=True) for _ in range(3)]
    for reader in readers:
        await reader.expect_get("k", b"1")
    await engine.set("k", b"2")
    await readers[0].close()
    for reader in readers[1:]:
        await reader.expect_get("k", b"2")
    await engine.set("k", b"3")
    await engine.expect_get("k", b"3")
