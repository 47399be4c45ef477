"""Checks of chapter L: one writer at a time, and a late one that writes nothing."""

from __future__ import annotations

import asyncio
import time

from wa_core.errors import EngineConfigError, FencedError, LeaseHeldError, UnsupportedError
from wa_core.storage import Batch, Lease

from wa_conformance.bench import Bench
from wa_conformance.check import Need, check, refusal
from wa_conformance.filling import demand, expect_everything
from wa_conformance.probe import Probe
from wa_conformance.wakeful import awake

LONG_S = 60.0
SHORT_S = 0.2
LATE_S = 5.0
"""How much longer than its time a lease may be held by a backend whose clock ticks in seconds."""
_POLL_S = 0.01


async def taken_over(engine: Probe, holder: str, *, within: float) -> Lease:
    """Take a lease as soon as the backend's clock lets it go: only asking tells when."""
    engine.program.gap("the check waits for the backend's clock")
    deadline = awake() + within
    while True:
        try:
            return await engine.engine.acquire(holder, LONG_S)
        except LeaseHeldError as exc:
            if awake() > deadline:
                engine.fail(f"{within:g} s later the lease is still held: {exc}")
            await asyncio.sleep(_POLL_S)


@check("L1")
async def epochs_grow(bench: Bench) -> None:
    """Each lease has a greater epoch than every one before it, whoever holds it."""
    engine = await bench.open()
    last = 0
    for holder in ("a", "a", "b", "a", "c"):
        lease = await engine.acquire(holder, LONG_S)
        demand(engine, lease.epoch > last, f"epoch {lease.epoch} was given after {last}")
        demand(
            engine, lease.holder == holder, f"{holder!r} took it, the lease says {lease.holder!r}"
        )
        last = lease.epoch
        await engine.release(lease)


@check("L1")
async def epochs_grow_over_clear_and_expiry(bench: Bench) -> None:
    """An epoch is never given again: not after the session was emptied, nor after an expiry."""
    engine = await bench.open()
    first = await engine.acquire("a", LONG_S)
    await engine.set("k", b"x")
    await engine.release(first)
    await engine.clear()
    second = await engine.acquire("b", SHORT_S)
    demand(engine, second.epoch > first.epoch, f"{second.epoch} was given after {first.epoch}")
    third = await taken_over(engine, "c", within=SHORT_S + LATE_S)
    demand(engine, third.epoch > second.epoch, f"{third.epoch} was given after {second.epoch}")


@check("L1", Need.PERSISTENT)
async def epochs_grow_over_reopening(bench: Bench) -> None:
    """Opened again, a store gives greater epochs than before, so that old leases stay old."""
    engine = await bench.open()
    last = 0
    for holder in ("a", "b", "a"):
        lease = await engine.acquire(holder, LONG_S)
        demand(engine, lease.epoch > last, f"epoch {lease.epoch} was given after {last}")
        last = lease.epoch
        await engine.release(lease)
        engine = await bench.reopen(engine)


@check("L1", Need.SHARED, Need.PERSISTENT)
async def a_lease_is_held_over_reopening(bench: Bench) -> None:
    """A lease outlives the engine object that took it: it ends by release or by time."""
    engine = await bench.open()
    await engine.acquire("a", LONG_S)
    engine = await bench.reopen(engine)
    await engine.expect_raises(LeaseHeldError, "acquire", "b", LONG_S)


@check("L1")
async def a_held_lease_is_refused(bench: Bench) -> None:
    """While a lease is held, acquire raises LeaseHeldError with holder and remaining time."""
    engine = await bench.open()
    await engine.acquire("worker-1", LONG_S)
    for holder in ("worker-2", "worker-1"):
        error = await engine.expect_raises(LeaseHeldError, "acquire", holder, LONG_S)
        demand(engine, error.holder == "worker-1", f"the holder is called {error.holder!r}")
        left = error.expires_in
        demand(engine, 0 < left <= LONG_S + 1, f"of {LONG_S:g} s, {left} are said to be left")


@check("L1", Need.SHARED)
async def a_held_lease_is_refused_to_other_objects(bench: Bench) -> None:
    """A second engine object on the session finds the lease held, and may take it afterwards."""
    engine = await bench.open()
    other = await bench.second()
    first = await engine.acquire("worker-1", LONG_S)
    await other.expect_raises(LeaseHeldError, "acquire", "worker-2", LONG_S)
    await engine.release(first)
    second = await other.acquire("worker-2", LONG_S)
    demand(engine, second.epoch > first.epoch, f"{second.epoch} was given after {first.epoch}")
    await engine.expect_raises(LeaseHeldError, "acquire", "worker-1", LONG_S)


@check("L1")
async def of_many_who_ask_at_once_one_gets_it(bench: Bench) -> None:
    """Of many tasks that acquire at the same time, exactly one gets the lease."""
    engine = await bench.open()
    others = [await bench.second()] if bench.capabilities.shared else []
    for _ in range(5):
        asked = [
            probe.acquire(f"worker-{number}", LONG_S)
            for number in range(8)
            for probe in (engine, *others)
        ]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        leases = [answer for answer in answers if isinstance(answer, Lease)]
        rest = {type(answer) for answer in answers if not isinstance(answer, Lease)}
        demand(engine, len(leases) == 1, f"{len(leases)} of {len(answers)} got the lease")
        demand(engine, rest == {LeaseHeldError}, f"the others were told {rest}")
        await leases[0].release()


@check("L1")
async def sessions_have_leases_of_their_own(bench: Bench) -> None:
    """A lease on one session leaves the lease of another alone."""
    engine = await bench.open()
    other = await bench.open(bench.new_session("other"))
    await engine.acquire("a", LONG_S)
    lease = await other.acquire("b", LONG_S)
    await other.apply(Batch().put("k", b"x"), fence=lease)
    await engine.expect_get("k", None)


@check("L2")
async def an_expired_lease_can_be_taken_over(bench: Bench) -> None:
    """A lease that is not renewed can be taken when its time is over, and not before."""
    engine = await bench.open()
    started = time.monotonic()
    first = await engine.acquire("a", SHORT_S)
    second = await taken_over(engine, "b", within=SHORT_S + LATE_S)
    lasted = time.monotonic() - started
    demand(engine, lasted >= SHORT_S * 0.9, f"a lease of {SHORT_S} s was gone after {lasted:.3f} s")
    demand(engine, second.epoch > first.epoch, f"{second.epoch} was given after {first.epoch}")
    await engine.expect_raises(LeaseHeldError, "acquire", "a", LONG_S)


@check("L2")
async def renewing_prolongs(bench: Bench) -> None:
    """A renewed lease is held for the new time: past the end of the old one."""
    engine = await bench.open()
    lease = await _renewed_in_time(engine)
    demand(engine, lease.ttl == LONG_S, f"the lease says that it lasts {lease.ttl} s")
    over = time.monotonic() + 4 * SHORT_S
    while time.monotonic() < over:
        await engine.expect_raises(LeaseHeldError, "acquire", "b", LONG_S)
        await asyncio.sleep(10 * _POLL_S)
    await engine.apply(Batch().put("k", b"x"), fence=lease)
    await engine.renew(lease)


async def _renewed_in_time(engine: Probe) -> Lease:
    """Take a short lease and prolong it; a machine that was busy for longer tries again."""
    engine.program.gap("the check waits for the backend's clock")
    while True:
        started = time.monotonic()
        lease = await engine.engine.acquire("a", 3 * SHORT_S)
        try:
            await engine.engine.renew_lease(lease, LONG_S)
        except FencedError as exc:
            lasted = time.monotonic() - started
            demand(engine, lasted > 2.5 * SHORT_S, f"{lasted:.3f} s into the lease: {exc}")
            await lease.release()
        else:
            await lease.renew(LONG_S)
            return lease


@check("L2")
async def releasing_ends(bench: Bench) -> None:
    """A released lease is free at once; releasing it again is no error and disturbs nobody."""
    engine = await bench.open()
    first = await engine.acquire("a", LONG_S)
    await engine.release(first)
    await engine.release(first)
    second = await engine.acquire("b", LONG_S)
    await engine.release(first)
    await engine.expect_raises(LeaseHeldError, "acquire", "c", LONG_S)
    await engine.apply(Batch().put("k", b"x"), fence=second)


@check("L2")
async def a_lost_lease_cannot_be_renewed(bench: Bench) -> None:
    """Renewing after release or takeover raises FencedError and leaves the new holder alone."""
    engine = await bench.open()
    first = await engine.acquire("a", LONG_S)
    await engine.release(first)
    await engine.expect_raises(FencedError, "renew_lease", first, LONG_S)
    second = await engine.acquire("b", LONG_S)
    error = await engine.expect_raises(FencedError, "renew_lease", first, LONG_S)
    demand(engine, error.epoch == first.epoch, f"the error names epoch {error.epoch}")
    held = await engine.expect_raises(LeaseHeldError, "acquire", "c", LONG_S)
    demand(engine, held.holder == "b", f"the holder is now called {held.holder!r}")
    await engine.apply(Batch().put("k", b"x"), fence=second)


@check("L2")
async def an_expired_lease_cannot_be_renewed(bench: Bench) -> None:
    """Renewing a lease whose time is over raises FencedError: its fence was down in between."""
    engine = await bench.open()
    lease = await engine.acquire("a", SHORT_S)
    await _expired(engine, lease)
    await engine.expect_raises(FencedError, "renew_lease", lease, LONG_S)
    await engine.acquire("b", LONG_S)


@check("L3")
async def a_current_lease_writes(bench: Bench) -> None:
    """A fenced batch is applied while its lease is current: puts, deletes and positions."""
    engine = await bench.open()
    lease = await engine.acquire("a", LONG_S)
    await engine.apply(Batch().put("a/1", b"1").put("b", b"2", at=5), fence=lease)
    await engine.apply(Batch().put("c", b"3").delete("a"), fence=lease)
    await engine.renew(lease, LONG_S)
    await engine.apply(Batch().put("d", b"4"), fence=lease)
    await engine.apply(Batch(), fence=lease)
    await engine.expect_list(["d", "c", "b"])


@check("L3")
async def a_late_batch_writes_nothing(bench: Bench) -> None:
    """A batch fenced with a lease that was taken over raises FencedError and changes nothing."""
    engine = await bench.open()
    old = await engine.acquire("a", LONG_S)
    await engine.apply(Batch().put("k", b"old").put("k/1", b"old"), fence=old)
    await engine.release(old)
    for holder in ("b", "a"):
        current = await engine.acquire(holder, LONG_S)
        await engine.apply(Batch().put("k", b"new"), fence=current)
        for late in (Batch().put("k", b"late").put("x", b"late"), Batch().delete("k"), Batch()):
            error = await engine.expect_raises(FencedError, "apply", late, fence=old)
            demand(engine, error.epoch == old.epoch, f"the error names epoch {error.epoch}")
        await expect_everything(engine, {"k": b"new", "k/1": b"old"})
        await engine.release(current)


@check("L3")
async def a_released_lease_writes_nothing(bench: Bench) -> None:
    """A batch fenced with a released lease is refused, though nobody else took it."""
    engine = await bench.open()
    lease = await engine.acquire("a", LONG_S)
    await engine.apply(Batch().put("k", b"in time"), fence=lease)
    await engine.release(lease)
    for late in (Batch().put("k", b"late"), Batch().delete("k")):
        await engine.expect_raises(FencedError, "apply", late, fence=lease)
    await expect_everything(engine, {"k": b"in time"})


@check("L3")
async def an_expired_lease_writes_nothing(bench: Bench) -> None:
    """A batch fenced with a lease whose time is over is refused, though nobody else took it."""
    engine = await bench.open()
    lease = await engine.acquire("a", SHORT_S)
    await engine.set("k", b"before")
    await _expired(engine, lease)
    for late in (Batch().put("k", b"late"), Batch().delete("k")):
        await engine.expect_raises(FencedError, "apply", late, fence=lease)
    await expect_everything(engine, {"k": b"before"})


async def _expired(engine: Probe, lease: Lease) -> None:
    """Wait until the backend says that the time of a lease is over."""
    engine.program.gap("the check waits for the backend's clock")
    deadline = awake() + SHORT_S + LATE_S
    while True:
        try:
            await engine.engine.apply(Batch(), fence=lease)
        except FencedError:
            return
        if awake() > deadline:
            engine.fail(f"{LATE_S:g} s after its end a lease of {SHORT_S} s is still current")
        await asyncio.sleep(_POLL_S)


@check("L3", Need.PERSISTENT)
async def an_old_lease_stays_old_after_reopening(bench: Bench) -> None:
    """A lease from before the store was opened again does not fit the fence of a new one."""
    engine = await bench.open()
    old = await engine.acquire("a", LONG_S)
    await engine.release(old)
    engine = await bench.reopen(engine)
    current = await engine.acquire("a", LONG_S)
    await engine.apply(Batch().put("k", b"new"), fence=current)
    await engine.expect_raises(FencedError, "apply", Batch().put("k", b"late"), fence=old)
    await engine.expect_get("k", b"new")


@check("L3")
async def fence_and_write_are_one_step(bench: Bench) -> None:
    """When a lease moves on while fenced batches are on their way, none is written after that."""
    engine = await bench.open()
    engine.program.gap("calls ran at the same time")
    for ticks in range(24):
        old = await engine.acquire("old", LONG_S)
        late = asyncio.create_task(_write_until_fenced(engine, old))
        for _ in range(ticks):
            await asyncio.sleep(0)
        await engine.release(old)
        new = await engine.acquire("new", LONG_S)
        found = await engine.get_many(["k", "k/2"])
        await late
        await engine.expect_many(["k", "k/2"], found)
        demand(engine, len(set(found.values())) < 2, f"half of a batch was there: {found!r}")
        await engine.release(new)


async def _write_until_fenced(engine: Probe, lease: Lease) -> None:
    for number in range(1_000):
        value = f"{lease.epoch}/{number}"
        try:
            await engine.engine.apply(Batch().put("k", value).put("k/2", value), fence=lease)
        except FencedError:
            return
        await asyncio.sleep(0)


@refusal("L1", "L2", "L3")
async def an_unclaimed_lease_is_refused(bench: Bench) -> None:
    """Where leases are not claimed, nobody gets one."""
    engine = await bench.open()
    refused = (UnsupportedError, EngineConfigError)
    await engine.expect_raises(refused, "acquire", "worker", LONG_S)
    await engine.expect_raises(refused, "acquire", "worker", LONG_S)


@refusal("L3")
async def an_unclaimed_fence_is_refused(bench: Bench) -> None:
    """Where fences are not claimed, a fenced batch is refused and nothing is written."""
    engine = await bench.open()
    lease = Lease(engine.engine, holder="worker", epoch=1, ttl=LONG_S)
    batch = Batch().put("k", b"x")
    await engine.expect_raises((UnsupportedError, EngineConfigError), "apply", batch, fence=lease)
    await expect_everything(engine, {})
