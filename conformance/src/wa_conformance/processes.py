"""Other processes on the same session: started, listened to, stopped, and killed.

What a process says arrives as lines, so that waiting for it is waiting for an event; a process that
says nothing for a while is an error of the check, never a pass.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from wa_conformance.bench import Bench

PATIENCE_S = 30.0


class ChildError(Exception):
    """A helper process did not do its part; the engine's error, if it had one, is in the text."""


class Child:
    """A process of `wa_conformance.writer`, or of another module that speaks in lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    async def hear(self, *wanted: str) -> list[str]:
        """Wait for a line that begins with one of the words, skip others, and return its words."""
        while True:
            words = await self.line()
            if words[0] in wanted:
                return words

    async def line(self, *, patience_s: float | None = PATIENCE_S) -> list[str]:
        """Return the next line as words; an error that the process reports is raised."""
        assert self._process.stdout is not None
        async with asyncio.timeout(patience_s):
            line = await self._process.stdout.readline()
        if not line:
            raise ChildError(f"the process ended with {await self._process.wait()}")
        words = line.decode().split()
        if words[0] == "error":
            raise ChildError(" ".join(words[1:]))
        return words

    def tell(self, line: str) -> None:
        """Write a line to its input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    async def end(self) -> None:
        """Kill it, whatever it does, and wait until it is gone."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.communicate()


@asynccontextmanager
async def child(
    bench: Bench, role: str, *, session: str = "", seed: int = 0
) -> AsyncIterator[Child]:
    """Start a process that plays a role on a session, by default the check's own."""
    bench.program.gap("another process took part")
    async with started(bench.target.text, session or bench.session, role, str(seed)) as process:
        yield process


@asynccontextmanager
async def nursery(bench: Bench) -> AsyncIterator[Nursery]:
    """Start the process that forks writers."""
    bench.program.gap("another process took part")
    async with started("--nursery", bench.target.text) as process:
        await process.hear("ready")
        yield Nursery(process)


class Nursery:
    """Writers that live until they are killed, one at a time."""

    def __init__(self, process: Child) -> None:
        self._process = process

    async def life(self, session: str, role: str, seed: int, *, acks: int, then_s: float) -> int:
        """Let a writer live for some acknowledgements and a moment; return the last one it said."""
        self._process.tell(f"{session} {role} {seed}")
        pid, said, heard = 0, 0, 0
        while not pid or heard < acks:
            word, number = await self._said()
            if word == "pid":
                pid = number
            elif word in ("from", "ack"):
                said, heard = number, heard + (word == "ack")
            else:
                raise ChildError(f"the writer ended by itself, with status {number}")
        if then_s:
            await asyncio.sleep(then_s)
        os.kill(pid, signal.SIGKILL)
        while True:
            word, number = await self._said()
            if word == "gone":
                return said
            said = number

    async def _said(self) -> tuple[str, int]:
        words = await self._process.line()
        return words[0], int(words[1])


@asynccontextmanager
async def started(*arguments: str, module: str = "wa_conformance.writer") -> AsyncIterator[Child]:
    """Start a module as a program of this Python; it is killed at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # A factory must be found there as it was found here.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    running = Child(process)
    try:
        yield running
    finally:
        await running.end()
