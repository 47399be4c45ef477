"""Killed servers [T1b]: numbered generations through the real engine, SIGKILL for the server.

Some writers, each on a session of its own, apply one generation after the other; at a random moment
after an acknowledgement the server dies and comes back on the same data. A fresh engine must find
whole generations, and every acknowledged one where the engine states more than `volatile`.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from wa_core.errors import EngineUnavailableError
from wa_core.storage import Durability, Engine

from wa_conformance.crash import STATE, Witness, generation
from wa_conformance.probe import Probe
from wa_conformance.program import Program
from wa_conformance.target import Target
from wa_conformance.trials.calls import Caller
from wa_conformance.trials.tally import Runs

MOMENT_S = 0.02
"""The server is killed at a random moment, at most so long after an acknowledgement."""
TIMEOUT_S = 5.0
WRITERS = (1, 1, 2, 3)
CLAUSE = "W2"


class Victim(Protocol):
    """A server that can be killed, as `wa_conformance.servers` starts them."""

    def kill(self) -> None:
        """End all its processes by SIGKILL."""

    def restart(self) -> None:
        """Start it again, on the same data."""


async def try_kills(
    target: Target, server: Victim, *, times: int, seed: int, only: int | None = None
) -> Counter[str]:
    """Kill the server so many times; return what was met, or raise a `Violation`."""
    runs = Runs("kills", times=times, seed=seed, only=only)
    lines = [Line(target, number, seed, runs.tally) for number in range(max(WRITERS))]
    for number in runs.numbers:
        with runs.run(number) as dice:
            await _kill_once(server, lines[: dice.choice(WRITERS)], dice)
    for line in lines:
        await line.clear()
    return runs.tally


async def _kill_once(server: Victim, lines: list[Line], dice: random.Random) -> None:
    for line in lines:
        await line.open()
    writers = [asyncio.ensure_future(line.write()) for line in lines]
    hearing = asyncio.ensure_future(lines[0].hears(acks=dice.randint(1, 5)))
    try:
        # A writer that ends before the kill has a reason, which is told below.
        await asyncio.wait((hearing, *writers), return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(dice.uniform(0, MOMENT_S))
    finally:
        hearing.cancel()
        await asyncio.to_thread(server.kill)
        ends = await asyncio.gather(*writers, return_exceptions=True)
        await asyncio.to_thread(server.restart)
    for end in ends:
        if isinstance(end, BaseException):
            raise end
    for line in lines:
        await line.look()


@dataclass
class Line:
    """One session, its writer, and the witness who looks at it after each kill."""

    target: Target
    number: int
    seed: int
    tally: Counter[str]
    acknowledged: int = 0
    session: str = ""
    _engine: Engine | None = None
    _heard: asyncio.Condition = field(default_factory=asyncio.Condition)
    _witness: Witness | None = None

    async def open(self) -> None:
        """Open the session for a writer that goes on from what is there."""
        self.session = self.session or f"conf-kill-{secrets.token_hex(4)}-{self.number}"
        self._engine = await self._caller().until_open(self._open)
        scans = "S1" in self._engine.capabilities.claims
        self._witness = self._witness or Witness(self.seed, scans=scans)
        self.acknowledged = int(await self._engine.get(STATE) or b"0")

    async def write(self) -> None:
        """Apply one generation after the other until the server is gone."""
        engine = self._engine
        assert engine is not None
        calls, number = self._caller(), self.acknowledged
        try:
            while True:
                number += 1
                batch = generation(self.seed, number)
                await calls.once("apply", lambda batch=batch: engine.apply(batch))  # type: ignore[misc]
                self.tally["acknowledged"] += 1
                async with self._heard:
                    self.acknowledged = number
                    self._heard.notify_all()
                # An engine that never waits for anything would let nobody kill it.
                await asyncio.sleep(0)
        except EngineUnavailableError:
            pass
        try:
            await calls.once("close", engine.close)
        except EngineUnavailableError:
            self.tally["not closed in time"] += 1

    async def hears(self, *, acks: int) -> None:
        """Wait until so many batches were acknowledged."""
        until = self.acknowledged + acks
        async with self._heard:
            await self._heard.wait_for(lambda: self.acknowledged >= until)

    async def look(self) -> None:
        """Open the session anew, and demand what the engine's durability promises [D1]."""
        engine = await self._caller().until_open(self._open)
        try:
            probe = Probe(engine, name="engine", clause=CLAUSE, program=Program(self.session))
            kept = engine.capabilities.durability is not Durability.VOLATILE
            assert self._witness is not None
            await self._witness.look(probe, acknowledged=self.acknowledged, kept=kept)
            self.tally["acknowledged and lost"] += max(0, self.acknowledged - self._witness.seen)
            self.tally["one further"] += self._witness.seen > self.acknowledged
            await self._witness.expect_order(probe)
        finally:
            await engine.close()

    async def clear(self) -> None:
        """Leave nothing of the session."""
        if self.session:
            engine = await self._open()
            async with engine:
                await engine.clear()

    async def _open(self) -> Engine:
        return await self.target.open(self.session, params={"timeout": f"{TIMEOUT_S:g}"})

    def _caller(self) -> Caller:
        return Caller(timeout=TIMEOUT_S)
