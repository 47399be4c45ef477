"""A Node process that does what it is told: one JSON line in, one JSON line out."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from wa_conformance.baileys.library import library, needed_library

ACCOUNTS = Path(__file__).with_name("accounts.mjs")
LINE_LIMIT = 2**26


class NodeError(Exception):
    """The library threw; the message is its own."""


class NodeProcess:
    """A script at work on the library, whose path is its first argument."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, script: Path, *arguments: str) -> Self:
        """Start a script; the library must be installed."""
        command = ("node", str(script), str(library()), *arguments)
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, limit=LINE_LIMIT
        )
        return cls(process)

    async def call(self, call: str, **arguments: Any) -> dict[str, Any]:
        """Send `{"call": ..., **arguments}` and return the answer; paths are sent as text."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the process has no pipes")
        stdin.write(json.dumps({"call": call, **arguments}, default=str).encode() + b"\n")
        await stdin.drain()
        line = await stdout.readline()
        if not line:
            raise NodeError("the process ended: see its own message above")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise NodeError(answer["error"])
        return answer

    async def close(self) -> None:
        """End the process by closing its input."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()


@asynccontextmanager
async def needed_node(script: Path = ACCOUNTS) -> AsyncIterator[NodeProcess]:
    """Run a script on the library; without Node a test is skipped, and with CI=true it fails."""
    await asyncio.to_thread(needed_library)
    node = await NodeProcess.start(script)
    try:
        yield node
    finally:
        await node.close()
