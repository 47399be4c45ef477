"""The line to a program: a child process, questions out, answers in by number.

A program that ended, or that broke the protocol, fails every question that waits and every one
that comes; nothing is restarted behind anybody's back.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress

from wa_core.errors import EngineUnavailableError

from wa_conformance import wire

_LINE_LIMIT = 2**28
_PARTING_S = 2.0


class Link:
    """One running program."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._waiting: dict[int, tuple[wire.Message, asyncio.Future[wire.Message]]] = {}
        self._asked = 0
        self._over: Exception | None = None
        self._closed = False
        self._reader = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, command: Sequence[str]) -> Link:
        """Start the program; its standard error is ours."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_LIMIT,
            # A group of its own, so that a stalled wrapper stalls what it wraps.
            start_new_session=True,
        )
        return cls(process)

    async def ask(self, op: str, **fields: object) -> wire.Message:
        """Send one question and wait for its answer, which may be an error."""
        if self._over is not None:
            raise self._over
        self._asked += 1
        number = self._asked
        question: wire.Message = {"id": number, "op": op, **fields}
        answer: asyncio.Future[wire.Message] = asyncio.get_running_loop().create_future()
        self._waiting[number] = (question, answer)
        stdin = self._stdin()
        try:
            stdin.write(wire.written(question))
            await stdin.drain()
            return await answer
        except (BrokenPipeError, ConnectionResetError) as exc:
            raise EngineUnavailableError("the program has ended") from exc
        finally:
            self._waiting.pop(number, None)

    @property
    def over(self) -> bool:
        """The program has ended, or its line is closed."""
        return self._over is not None or self._closed

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program and all that it started."""
        if self._process.returncode is None:
            # It may have ended without our having been told yet.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    async def close(self) -> None:
        """End the program: close its input, and kill it when that does not end it."""
        self._closed = True
        self.signal(signal.SIGCONT)
        self._stdin().close()
        try:
            async with asyncio.timeout(_PARTING_S):
                await self._process.wait()
        except TimeoutError:
            self.signal(signal.SIGKILL)
            await self._process.wait()
        await self._reader

    async def _listen(self) -> None:
        stdout = self._process.stdout
        if stdout is None:
            raise RuntimeError("the program was started without a pipe")
        try:
            while line := await stdout.readline():
                self._take(wire.read(line))
            status = await self._process.wait()
            self._end(EngineUnavailableError(f"the program has ended with status {status}"))
        except wire.WireError as exc:
            self._end(exc)
        except ValueError:
            self._end(wire.WireError(f"a line of more than {_LINE_LIMIT} bytes"))

    def _take(self, message: wire.Message) -> None:
        question, answer = self._waiting.get(message.get("id", 0), ({}, None))
        # An answer may come after its question was given up.
        if answer is None or answer.done():
            return
        if "error" in message:
            answer.set_exception(wire.error_of(message, question))
        else:
            answer.set_result(message)

    def _end(self, error: Exception) -> None:
        self._over = error
        for _, answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(error)

    def _stdin(self) -> asyncio.StreamWriter:
        if self._process.stdin is None:
            raise RuntimeError("the program was started without a pipe")
        return self._process.stdin
