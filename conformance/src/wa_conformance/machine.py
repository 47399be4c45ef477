"""A state machine: random programs on an engine and on the model, step by step the same.

The examples look for traps that somebody has fallen into; this looks for the others. Each program
runs on a session of its own, from one or two engine objects, with tasks at the same time; when it
fails, Hypothesis shrinks it and the lines that the probes have recorded are the report.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, TypeVar

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    get_state_machine_test,
    initialize,
    invariant,
    precondition,
    rule,
)
from wa_core.errors import FencedError, InvalidKeyError, LeaseHeldError
from wa_core.storage import Batch, Durability, Lease, is_key

from wa_conformance.bench import Bench
from wa_conformance.corpus import INVALID, KEYS, TWINS, VALUES
from wa_conformance.filling import clock_of, demand, positions
from wa_conformance.model import GREATEST, PAST, Delete, Model, Put, Step
from wa_conformance.probe import Probe
from wa_conformance.violation import Violation

T = TypeVar("T")
PARTS = 10
"""In how many parts the programs come; the first is always tried."""

_log = logging.getLogger(__name__)
_shrinks = ContextVar("_shrinks", default=True)

_FAMILY = ("chat/1", "chat/10", "chat", "chat/1/index", "chat/1 ", "Chat/1", "chat/_", "chat/%")
_pools = st.one_of(
    st.lists(st.sampled_from(_FAMILY), min_size=2, max_size=5, unique=True),
    st.lists(KEYS, min_size=2, max_size=5, unique=True),
    st.tuples(st.sampled_from(TWINS), KEYS).map(lambda drawn: [*drawn[0], drawn[1]]),
)
_picks = st.integers(0, 29)
_places = st.sampled_from((None, None, None, None, *PAST, GREATEST))
_texts = st.one_of(VALUES, VALUES, st.text(max_size=6))
_operations = st.one_of(
    st.tuples(_picks, VALUES, _places),
    st.tuples(_picks, VALUES, _places),
    st.tuples(_picks, st.none(), st.none()),
)
_batches = st.lists(_operations, min_size=1, max_size=6)
Drawn = list[tuple[int, bytes | None, int | None]]


class Programs(RuleBasedStateMachine):
    """Single writes, reads, pages, a second object, and opening again: what every engine has."""

    bench: ClassVar[Bench]

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self.model = Model()
        self.pool: list[str] = []
        self.probes: list[Probe] = []

    @initialize(pool=_pools)
    def begin(self, pool: list[str]) -> None:
        """Open an empty session, and decide which keys this program is about."""
        self.pool = pool
        self.run(self._begin())

    async def _begin(self) -> None:
        await self.bench.restart()
        self.probes = [await self.bench.open()]
        if self.bench.capabilities.shared or self.bench.target.opens_readers:
            self.probes.append(await self.bench.second())

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop of this program."""
        return self._runner.run(call)

    def key(self, pick: int) -> str:
        """Choose a key of the pool, or one below it, or above it."""
        base = self.pool[pick % len(self.pool)]
        kind = pick // len(self.pool) % 3
        if kind == 1 and is_key(f"{base}/{pick % 2}"):
            return f"{base}/{pick % 2}"
        return base.rpartition("/")[0] or base if kind == 2 else base

    def writer(self, pick: int) -> Probe:
        """Choose an object that may write."""
        return self.probes[pick % len(self.probes) if self.bench.capabilities.shared else 0]

    def reader(self, pick: int) -> Probe:
        """Choose any object."""
        return self.probes[pick % len(self.probes)]

    @rule(pick=_picks, value=_texts, at=_places)
    def put(self, pick: int, value: bytes | str, at: int | None) -> None:
        """Write one record."""
        clock, key = clock_of(self.bench), self.key(pick)
        self.run(self.writer(pick).set(key, value, at=at))
        data = value.encode() if isinstance(value, str) else value
        self.model.apply([Put(key, data, at)], clock=clock)

    @rule(pick=_picks)
    def delete(self, pick: int) -> None:
        """Delete one tree."""
        self.run(self.writer(pick).set(self.key(pick), None))
        self.model.apply([Delete(self.key(pick))], clock=0)

    @rule(pick=_picks)
    def read(self, pick: int) -> None:
        """Read one key."""
        key = self.key(pick)
        self.run(self.reader(pick).expect_get(key, self.model.values.get(key)))

    @rule(pick=_picks, cut=st.integers(0, 9), offset=st.integers(0, 4), limit=st.integers(0, 4))
    def page(self, pick: int, cut: int, offset: int, limit: int) -> None:
        """List a page, and count, below a prefix that begins a key."""
        key = self.key(pick)
        prefix = key[: len(key) * cut // 9]
        if not is_key(prefix + "x"):
            return
        listed = self.model.listed(prefix)
        wanted = listed[offset : offset + limit]
        self.run(self.reader(pick).expect_list(wanted, prefix, offset, limit))
        self.run(self.reader(pick).expect_count(len(listed), prefix))

    @rule(pick=_picks, bad=st.sampled_from(INVALID))
    def offend(self, pick: int, bad: str) -> None:
        """Use a key that is none."""
        probe = self.writer(pick)
        method, rest = (("set", (b"x",)), ("set", (None,)), ("get", ()))[pick % 3]
        self.run(probe.expect_raises(InvalidKeyError, method, bad, *rest))

    @precondition(lambda self: self.reopens())
    @rule(pick=_picks)
    def reopen(self, pick: int) -> None:
        """Close one object and open the session again."""
        place = pick % len(self.probes)
        self.probes[place] = self.run(self.bench.reopen(self.probes[place]))
        self.reopened()

    def reopened(self) -> None:
        """Forget what ended with a closed object."""

    def reopens(self) -> bool:
        """Tell whether the session outlives its engine."""
        return self.bench.capabilities.durability is not Durability.VOLATILE

    @invariant()
    def holds(self) -> None:
        """Demand that each object shows what the model holds."""
        for probe in self.probes:
            self.run(self.expect_state(probe))

    async def expect_state(self, probe: Probe) -> None:
        """Demand the list and all values, those of absent keys too."""
        await probe.expect_list(self.model.listed(), limit=None)
        known = sorted(
            {self.key(pick) for pick in range(3 * len(self.pool))} | set(self.model.values)
        )
        await probe.expect_many(known, self.model.values)

    def teardown(self) -> None:
        """Close everything; the lines of the program stay."""
        try:
            self.run(self.bench.clean_up())
        finally:
            self._runner.close()


class BatchPrograms(Programs):
    """Batches too, scans with positions, tasks at the same time, and leases where claimed."""

    def __init__(self) -> None:
        super().__init__()
        self.leases: list[Lease] = []
        self.releasable: list[Lease] = []
        self.held = False

    def steps(self, drawn: Drawn) -> list[Step]:
        """Turn what was drawn into the model's steps."""
        return [
            Delete(self.key(pick)) if value is None else Put(self.key(pick), value, at)
            for pick, value, at in drawn
        ]

    @rule(drawn=_batches, times=st.sampled_from((1, 1, 1, 2)))
    def batch(self, drawn: Drawn, times: int) -> None:
        """Apply a batch, and now and then the same one again [W3]."""
        clock, steps = clock_of(self.bench), self.steps(drawn)
        batch, probe = _batch(steps), self.writer(drawn[0][0])
        for _ in range(times):
            self.run(probe.apply(batch))
            self.model.apply(steps, clock=clock)

    @rule(many=st.lists(_batches, min_size=2, max_size=4), pick=_picks)
    def burst(self, many: list[Drawn], pick: int) -> None:
        """Apply batches that nobody awaits in between, and read meanwhile [W1, W6, X2]."""
        clock = clock_of(self.bench)
        moments = [dict(self.model.values)]
        batches = []
        for drawn in many:
            steps = self.steps(drawn)
            batches.append(_batch(steps))
            self.model.apply(steps, clock=clock)
            moments.append(dict(self.model.values))
        keys = sorted({key for moment in moments for key in moment})
        self.run(self._burst(self.writer(pick), batches, self.reader(pick), keys, moments))

    async def _burst(
        self,
        writer: Probe,
        batches: list[Batch],
        reader: Probe,
        keys: list[str],
        moments: list[dict[str, bytes]],
    ) -> None:
        calls = [writer.apply(batch) for batch in batches]
        reads = [reader.get_many(keys) for _ in range(2)]
        *_, first, second = await asyncio.gather(*calls, *reads)
        for found in (first, second):
            demand(reader, found in moments, f"no moment of the burst looked like {found!r}")

    @rule(pick=_picks, cut=st.integers(0, 3))
    def scan(self, pick: int, cut: int) -> None:
        """Scan below a prefix, and look at the positions."""
        key = self.key(pick)
        prefix = (
            key[: len(key) * cut // 3] if cut % 2 and is_key(key[: len(key) * cut // 3]) else ""
        )
        self.run(self._scan(self.reader(pick), prefix))

    async def _scan(self, probe: Probe, prefix: str) -> None:
        wanted = {key: (self.model.values[key], None) for key in self.model.begins(prefix)}
        await probe.expect_scan(wanted, prefix)
        wrong = self.model.misplaced(await positions(probe, prefix))
        demand(probe, wrong is None, str(wrong))

    @precondition(lambda self: "N2" in self.bench.claims)
    @rule(pick=_picks)
    def clear(self, pick: int) -> None:
        """Empty the session."""
        if pick % 5 == 0:
            self.run(self.writer(pick).clear())
            self.model.clear()

    @precondition(lambda self: "L1" in self.bench.claims)
    @rule(pick=_picks)
    def acquire(self, pick: int) -> None:
        """Take the lease, or be refused while it is held."""
        probe = self.writer(pick)
        if self.held:
            self.run(probe.expect_raises(LeaseHeldError, "acquire", "worker", 1_000.0))
            return
        lease = self.run(probe.acquire("worker", 1_000.0))
        last = self.leases[-1].epoch if self.leases else 0
        demand(probe, lease.epoch > last, f"epoch {lease.epoch} was given after {last}")
        self.leases.append(lease)
        self.releasable.append(lease)
        self.held = True

    def reopened(self) -> None:
        """Release no lease through an engine that is closed."""
        self.releasable.clear()

    @precondition(lambda self: self.releasable)
    @rule(pick=_picks)
    def release(self, pick: int) -> None:
        """Release one of the leases there were; only the current one has an effect."""
        lease = self.releasable[pick % len(self.releasable)]
        self.run(self.probes[0].release(lease))
        self.held = self.held and lease is not self.leases[-1]

    @precondition(lambda self: self.leases)
    @rule(pick=_picks, drawn=_batches)
    def fenced(self, pick: int, drawn: Drawn) -> None:
        """Apply a batch under one of the leases there were: current, or late."""
        clock, steps, probe = clock_of(self.bench), self.steps(drawn), self.writer(pick)
        lease = self.leases[pick % len(self.leases)]
        if self.held and lease is self.leases[-1]:
            self.run(probe.apply(_batch(steps), fence=lease))
            self.model.apply(steps, clock=clock)
        else:
            self.run(probe.expect_raises(FencedError, "apply", _batch(steps), fence=lease))

    def reopens(self) -> bool:
        """Leave an engine of one writer open while its lease is held: it may end with it."""
        return super().reopens() and (self.bench.capabilities.shared or not self.held)


def run_programs(bench: Bench, kind: type[Programs]) -> None:
    """Try random programs; the first that fails is shrunk, and its violation raised.

    A store that waits for a disk or a network takes minutes for what memory does in seconds: behind
    a URL the programs come in parts, and what would begin too late is left out and told.
    """
    parts = PARTS if bench.target.is_url else 1
    began = time.monotonic()
    for part in range(parts):
        if part and time.monotonic() - began > bench.profile.programs_s:
            tried = bench.profile.examples * part // parts
            _log.warning("%d of %d random programs tried: slow", tried, bench.profile.examples)
            return
        _run_part(bench, kind, bench.profile.examples // parts, bench.seed + 1000 * part)


def _run_part(bench: Bench, kind: type[Programs], examples: int, dice: int) -> None:
    machine = type(kind.__name__, (kind,), {"bench": bench})
    phases = (Phase.generate, Phase.shrink) if _shrinks.get() else (Phase.generate,)
    chosen = settings(
        max_examples=examples,
        stateful_step_count=bench.profile.steps,
        phases=phases,
        deadline=None,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    test: Callable[[], None] = seed(dice)(get_state_machine_test(machine, settings=chosen))
    try:
        test()
    except Violation as exc:
        _keep_own_notes(exc)
        raise


@contextmanager
def without_shrinking() -> Iterator[None]:
    """Take the first program that fails as it is: for those who only count failures."""
    token = _shrinks.set(False)
    try:
        yield
    finally:
        _shrinks.reset(token)


def _keep_own_notes(error: Violation) -> None:
    # Hypothesis tells the program in its own words, which cannot be pasted; ours are in the error.
    error.__notes__ = []


def _batch(steps: list[Step]) -> Batch:
    batch = Batch()
    for step in steps:
        if isinstance(step, Put):
            batch.put(step.key, step.value, at=step.at)
        else:
            batch.delete(step.key)
    return batch
