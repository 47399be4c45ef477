"""wa-migrate as a process that is killed (SIGKILL) somewhere, and run again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

LEASE_S = 3.0
KILLED = -signal.SIGKILL
LONGEST_S = 60
SHORTEST_S = 0.002
"""What a pause is taken for at least: steps that are read in one go seem to come at once."""
NURSERY = Path(__file__).with_name("nursery.py")


@dataclass(slots=True)
class Ran:
    """How a process went: what it told, when, and how it ended."""

    code: int = 0
    steps: list[str] = field(default_factory=list)
    """Progress, beginnings and ends of writes; waiting is none."""
    pauses: list[float] = field(default_factory=list)
    """How long it took to the first, from each to the next, and from the last to the end."""
    last: dict[str, Any] = field(default_factory=dict)
    """The report or the error, if it came to one."""

    @property
    def is_starved(self) -> bool:
        """Tell whether a busy machine held it up until its lease was over; then it has to end."""
        return self.code == 3 and self.last.get("code") == "fenced"

    def __str__(self) -> str:
        told = self.last or "nothing"
        return f"exit {self.code} after {len(self.steps)} steps {self.steps[-3:]}, told {told}"


@dataclass(frozen=True, slots=True)
class Kill:
    """When to kill: so long after the n-th step."""

    step: int
    pause_s: float

    @classmethod
    def drawn(cls, dice: Random, pauses: list[float]) -> Kill:
        """Draw a moment of a run that went like that: any step, and any moment until the next."""
        step = dice.randrange(len(pauses))
        return cls(step, dice.random() * max(pauses[step], SHORTEST_S))


class Nursery:
    """A process that forks one wa-migrate after the other."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def opened(cls) -> AsyncIterator[Nursery]:
        """Start it, and end it behind the body."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(NURSERY), stdin=PIPE, stdout=PIPE
        )
        nursery = cls(process)
        try:
            assert (await nursery._heard())["event"] == "ready"
            yield nursery
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()

    async def migrate(self, *words: str, kill: Kill | None = None) -> Ran:
        """Run the command, to its end or to the moment at which it is killed."""
        words = (*words, "--json", "--lease", str(LEASE_S))
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words).encode() + b"\n")
        pid = (await self._heard())["pid"]
        try:
            async with asyncio.timeout(LONGEST_S):
                return await self._followed(pid, kill)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise AssertionError(f"{words}: no end after {LONGEST_S} s") from None

    async def _followed(self, pid: int, kill: Kill | None) -> Ran:
        clock = asyncio.get_running_loop().time
        ran, moment = Ran(), clock()
        while True:
            if kill is not None and kill.step == len(ran.steps):
                await asyncio.sleep(kill.pause_s)
                os.kill(pid, signal.SIGKILL)
                kill = None
            told = await self._heard()
            now, event = clock(), told["event"]
            if event in ("report", "error"):
                ran.last = told
            elif told.get("phase") != "waiting":
                ran.pauses.append(now - moment)
                if event == "ended":
                    ran.code = told["code"]
                    return ran
                ran.steps.append(told.get("phase", event))
            moment = now

    async def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return found
