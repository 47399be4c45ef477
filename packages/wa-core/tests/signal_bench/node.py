"""Baileys' own code under Node, called from tests that are no coroutines: Hypothesis runs them."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wa_conformance.baileys import NodeProcess, needed_library

SCRIPT = Path(__file__).with_name("ratchets.mjs")


class Refused(Exception):
    """The library threw: a message that it cannot open."""


class Node:
    """The process; an answer is a dict."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._loop = runner.get_loop()
        self._process = self._loop.run_until_complete(NodeProcess.start(SCRIPT))

    def call(self, call: str, **line: Any) -> dict[str, Any]:
        """Have one step made."""
        answer = self._loop.run_until_complete(self._process.call(call, **line))
        if "refused" in answer:
            raise Refused(answer["refused"])
        return answer

    def close(self) -> None:
        """End the process."""
        self._loop.run_until_complete(self._process.close())


@contextmanager
def running_node() -> Iterator[Node]:
    """Give a process; without Node the test skips, and with CI=true it fails."""
    needed_library()
    with asyncio.Runner() as runner:
        node = Node(runner)
        try:
            yield node
        finally:
            node.close()


def b64(data: bytes) -> str:
    return b64encode(data).decode()


def unb64(text: str) -> bytes:
    return b64decode(text)
