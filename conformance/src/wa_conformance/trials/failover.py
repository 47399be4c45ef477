"""Fail-over: the leader dies in the middle of writes, and nothing acknowledged may be missing.

Writers apply numbered generations on sessions of their own, each again while its outcome is
unknown. A leader is killed; when others have elected a new one it comes back, and the writers go on
until each was acknowledged again. Every call ends in a result or in `EngineUnavailableError`.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wa_core.storage import Engine

from wa_conformance.crash import STATE, Witness, generation
from wa_conformance.probe import Probe
from wa_conformance.program import Program
from wa_conformance.target import Target
from wa_conformance.trials.calls import Caller
from wa_conformance.trials.herd import Herd
from wa_conformance.trials.tally import Runs
from wa_conformance.violation import Violation

SESSIONS = 6
"""Enough that some session is led by whoever is killed."""
MOMENT_S = 0.02
PACE_S = 0.01
"""Between two batches of a writer: an election is long, and the witness reads all of them."""
TIMEOUT_S = 3.0
PATIENCE = 30.0
"""How many timeouts long a writer tries again: an election takes its time."""
ELECTED_S = 60.0
GLANCE_S = 0.1
BACK_AFTER = 3
"""The acknowledgements that each writer must get after the election."""
CLAUSE = "W2"


async def try_failover(
    target: Target,
    herd: Herd,
    *,
    times: int,
    seed: int,
    only: int | None = None,
    params: Mapping[str, str] | None = None,
) -> Counter[str]:
    """Kill a leader so many times; return what was met, or raise a `Violation`."""
    runs = Runs("failover", times=times, seed=seed, only=only)
    writers = [
        Writer(target, {"timeout": f"{TIMEOUT_S:g}", **(params or {})}, seed, runs.tally)
        for _ in range(SESSIONS)
    ]
    for writer in writers:
        await writer.open()
    for number in runs.numbers:
        with runs.run(number) as dice:
            await _fail_once(herd, writers, dice)
    for writer in writers:
        await writer.end()
    return runs.tally


async def _fail_once(herd: Herd, writers: list[Writer], dice: random.Random) -> None:
    tasks = [asyncio.create_task(writer.write()) for writer in writers]
    try:
        await _heard(tasks, [dice.choice(writers)], acks=dice.randint(1, 6))
        leaders = await asyncio.to_thread(herd.leaders)
        leader = dice.choice(leaders)
        await asyncio.sleep(dice.uniform(0, MOMENT_S))
        await asyncio.to_thread(leader.kill)
        if not await _in_time(lambda: len(herd.leaders()) >= len(leaders)):
            raise TrialError(f"nobody is elected within {ELECTED_S:g} s")
        await asyncio.to_thread(leader.start)
        await _heard(tasks, writers, acks=BACK_AFTER)
    finally:
        for writer in writers:
            writer.stopping = True
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, Violation):
                raise end
    for end in ends:
        if isinstance(end, BaseException):
            raise end
    if not await _in_time(herd.settled):
        raise TrialError(f"the servers do not settle within {ELECTED_S:g} s")
    for writer in writers:
        await writer.look()


async def _heard(tasks: list[asyncio.Task[None]], writers: list[Writer], *, acks: int) -> None:
    """Wait for so many acknowledgements of each; a writer that ends before has a reason to tell."""
    hearing = asyncio.gather(*(writer.hears(acks=acks) for writer in writers))
    try:
        waiting: list[asyncio.Future[Any]] = [hearing, *tasks]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not hearing.done():
            raise TrialError("a writer ended before it was told to")
    finally:
        hearing.cancel()


async def _in_time(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + ELECTED_S
    while not await asyncio.to_thread(condition):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(GLANCE_S)
    return True


class TrialError(Exception):
    """The servers did not do their part: the trial says nothing about the engine."""


@dataclass
class Writer:
    """One session, its engine that stays open, and the witness who looks through another."""

    target: Target
    params: Mapping[str, str]
    seed: int
    tally: Counter[str]
    stopping: bool = False
    acknowledged: int = 0
    session: str = field(default_factory=lambda: f"conf-over-{secrets.token_hex(4)}")
    _engine: Engine | None = None
    _acks: asyncio.Condition = field(default_factory=asyncio.Condition)
    _witness: Witness | None = None

    def __post_init__(self) -> None:
        self.calls = Caller(timeout=TIMEOUT_S, patience=PATIENCE)

    async def open(self) -> None:
        """Open the session, once for all runs: the engine must find the new leader itself."""
        self._engine = await self._opened()
        self._witness = Witness(self.seed, scans="S1" in self._engine.capabilities.claims)

    async def write(self) -> None:
        """Apply one generation after the other, and read back what was acknowledged."""
        engine, self.stopping = self._engine, False
        assert engine is not None
        while not self.stopping:
            number = self.acknowledged + 1
            batch = generation(self.seed, number)
            await self.calls.until_answered("apply", lambda batch=batch: engine.apply(batch))  # type: ignore[misc]
            self.tally["acknowledged"] += 1
            async with self._acks:
                self.acknowledged = number
                self._acks.notify_all()
            found = await self.calls.until_answered("get", lambda: engine.get(STATE))
            if found != str(number).encode():
                raise Violation("W5", f"generation {number} was acknowledged, {found!r} is read")
            await asyncio.sleep(PACE_S)

    async def hears(self, *, acks: int) -> None:
        """Wait until so many batches more were acknowledged."""
        until = self.acknowledged + acks
        async with self._acks:
            await self._acks.wait_for(lambda: self.acknowledged >= until)

    async def look(self) -> None:
        """Open the session anew, and demand all that was acknowledged."""
        engine = await self._opened()
        async with engine:
            probe = Probe(engine, name="engine", clause=CLAUSE, program=Program(self.session))
            assert self._witness is not None
            await self._witness.look(probe, acknowledged=self.acknowledged)
            await self._witness.expect_order(probe)

    async def end(self) -> None:
        """Leave nothing of the session."""
        assert self._engine is not None
        await self.calls.until_answered("clear", self._engine.clear)
        await self._engine.close()
        self.tally.update(self.calls.tally)

    async def _opened(self) -> Engine:
        async def opening() -> Engine:
            return await self.target.open(self.session, params=self.params)

        return await self.calls.until_open(opening)
