"""Checks with other processes: killed ones, stopped ones, and ones that write at the same time."""

from __future__ import annotations

import asyncio
import signal

from wa_core.errors import EngineBusyError, LeaseHeldError
from wa_core.storage import Batch

from wa_conformance.bench import Bench
from wa_conformance.check import Need, check
from wa_conformance.checks.leases import LATE_S, LONG_S, taken_over
from wa_conformance.crash import STATE, Witness
from wa_conformance.filling import demand, open_when_free
from wa_conformance.processes import child, nursery
from wa_conformance.writer import LEASE_S

MOMENT_S = 0.02
"""A writer is killed at a random moment, at most so long after an acknowledgement."""


@check("W1", Need.PERSISTENT, Need.PROCESSES, also=("W2", "C1"))
async def a_killed_writer_leaves_whole_batches(bench: Bench) -> None:
    """After kill -9 of a writer, at any moment, one whole generation of its batches is there."""
    witness = Witness(bench.seed, scans="S1" in bench.claims)
    engine = await bench.open()
    await engine.close()
    async with nursery(bench) as writers:
        for _ in range(bench.profile.kills):
            acknowledged = await writers.life(
                bench.session,
                "generations",
                bench.seed,
                acks=bench.rng.randint(1, 4),
                then_s=bench.rng.uniform(0, MOMENT_S),
            )
            engine = await open_when_free(bench)
            await witness.look(engine, acknowledged=acknowledged)
            await engine.close()
    if "S1" in bench.claims:
        await witness.expect_order(await bench.open())


@check("W2", Need.PERSISTENT, Need.PROCESSES)
async def an_acknowledged_write_survives_its_writer(bench: Bench) -> None:
    """After kill -9 of a writer, right after an acknowledgement, what it was told is kept."""
    engine = await bench.open()
    await engine.close()
    async with nursery(bench) as writers:
        for _ in range(max(3, bench.profile.kills // 4)):
            acks = bench.rng.randint(1, 9)
            told = await writers.life(bench.session, "counter", bench.seed, acks=acks, then_s=0)
            engine = await open_when_free(bench)
            found = int(await engine.get(STATE) or b"-1")
            demand(engine, found in (told, told + 1), f"{told} was acknowledged, {found} is there")
            await engine.close()


@check("W5", Need.SECOND_OPENER, Need.PERSISTENT, Need.PROCESSES)
async def another_process_is_read_at_once(bench: Bench) -> None:
    """What another process has written is read by an engine that was open before."""
    first = await bench.open()
    await first.set("k", b"0")
    await first.close()
    async with child(bench, "holder") as writer:
        await writer.hear("open")
        engine = await bench.second()
        await engine.expect_get("k", b"0")
        await engine.expect_get("new", None)
        for key in ("k", "new", "k/below"):
            writer.tell(f"{key} 1")
            await writer.hear("set")
            await engine.expect_get(key, b"1")
            listed = await engine.list()
            demand(engine, listed[0] == key, f"{key!r} was written last, {listed!r} is listed")


@check("L1", Need.PERSISTENT, Need.PROCESSES)
async def epochs_grow_over_a_kill(bench: Bench) -> None:
    """The epoch of a holder that was killed is not given again."""
    engine = await bench.open()
    await engine.close()
    last = 0
    for seed in (1, 2):
        async with child(bench, "lease", seed=seed) as holder:
            epoch = int((await holder.hear("lease"))[1])
            holder.signal(signal.SIGKILL)
        engine = await open_when_free(bench)
        demand(engine, epoch > last, f"epoch {epoch} was given after {last}")
        lease = await taken_over(engine, "next", within=LEASE_S + LATE_S)
        demand(engine, lease.epoch > epoch, f"epoch {lease.epoch} was given after {epoch}")
        last = lease.epoch
        await lease.release()
        await engine.close()


@check("L1", Need.SHARED, Need.PERSISTENT, Need.PROCESSES)
async def a_lease_is_held_between_processes(bench: Bench) -> None:
    """While one process holds the lease, another is refused, and is told who holds it."""
    engine = await bench.open()
    async with child(bench, "lease") as holder:
        await holder.hear("lease")
        error = await engine.expect_raises(LeaseHeldError, "acquire", "here", LONG_S)
        demand(engine, error.holder == "worker-0", f"the holder is called {error.holder!r}")


@check("L3", Need.SHARED, Need.PERSISTENT, Need.PROCESSES)
async def a_process_that_was_stopped_writes_nothing(bench: Bench) -> None:
    """A process stopped beyond its lease, and woken up, finds its fenced batches refused."""
    engine = await bench.open()
    for turn in range(1, 2 + bench.profile.rounds // 10):
        async with child(bench, "lease", seed=turn) as sleeper:
            epoch = int((await sleeper.hear("lease"))[1])
            sleeper.tell("write")
            if (await sleeper.hear("wrote", "fenced"))[0] == "wrote":
                await engine.expect_get("k", b"late")
            sleeper.signal(signal.SIGSTOP)
            sleeper.tell("write")
            lease = await taken_over(engine, "here", within=LEASE_S + LATE_S)
            demand(engine, lease.epoch > epoch, f"epoch {lease.epoch} was given after {epoch}")
            await engine.apply(Batch().put("k", b"new").put("k/2", b"new"), fence=lease)
            sleeper.signal(signal.SIGCONT)
            said = (await sleeper.hear("wrote", "fenced"))[0]
            await engine.expect_many(["k", "k/2"], {"k": b"new", "k/2": b"new"})
            demand(engine, said == "fenced", "a stopped process was told that its batch is kept")
            await lease.release()


@check("X2", Need.SHARED, Need.PERSISTENT, Need.PROCESSES)
async def processes_write_at_the_same_time(bench: Bench) -> None:
    """What several processes write at once is all kept, and an engine open before reads it."""
    engine = await bench.open()
    await engine.set("first", b"1")
    async with child(bench, "share", seed=1) as one, child(bench, "share", seed=2) as two:
        for writer in (one, two):
            await writer.hear("open")
        for writer in (one, two):
            writer.tell("go")
        own = [f"share/0/{number}" for number in range(50)]
        for key in own:
            await engine.set(key, b"own")
        for writer in (one, two):
            await writer.hear("done")
    keys = [f"share/{seed}/{number}" for seed in (1, 2) for number in range(100)]
    await engine.expect_many(own + keys, {key: _share(key) for key in own + keys})
    await engine.expect_count(250, "share/")


def _share(key: str) -> bytes:
    return b"own" if key.startswith("share/0/") else key.rpartition("/")[2].encode()


@check("X2", Need.NOT_SHARED, Need.PERSISTENT, Need.PROCESSES)
async def a_writer_in_another_process_is_named(bench: Bench) -> None:
    """While another process writes, opening raises EngineBusyError; when it is killed, it opens."""
    async with child(bench, "holder") as holder:
        await holder.hear("open")
        holder.tell("k 1")
        await holder.hear("set")
        apart = await bench.open(bench.new_session("apart"))
        try:
            second = await bench.target.open(bench.session)
        except EngineBusyError as exc:
            demand(apart, bool(exc.holder.strip()), "the error does not name the holder")
        else:
            await second.close()
            apart.fail("a second writer was let in beside another process")
        holder.signal(signal.SIGKILL)
        await asyncio.sleep(0)
    engine = await open_when_free(bench)
    await engine.expect_get("k", b"1")
    await engine.set("k", b"2")
