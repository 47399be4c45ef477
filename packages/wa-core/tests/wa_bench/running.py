"""The command in this process: its exit code, and what it wrote."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import Coroutine
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any, TypeVar

from wa_core.cli.main import main

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    def row(self, first: str) -> str:
        """Return the line that begins with a word."""
        return next(line for line in self.out.splitlines() if line.split()[:1] == [first])


class Pipe(io.TextIOWrapper):
    """Standard output into a pipe."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")

    @property
    def written(self) -> str:
        self.flush()
        held = self.buffer
        assert isinstance(held, io.BytesIO)
        return held.getvalue().decode()


class Terminal(Pipe):
    """A terminal, which looks like one and nothing else."""

    def isatty(self) -> bool:
        return True


def wa(*words: str, terminal: bool = False) -> Ended:
    """Run the command to its end."""
    out, err = (Terminal(), Terminal()) if terminal else (Pipe(), Pipe())
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as exc:  # argparse
            code = int(exc.code or 0)
    return Ended(code, out.written, err.written)


def unstyled(text: str) -> str:
    """Take the colours out of what a terminal was sent."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def now(work: Coroutine[Any, Any, T]) -> T:
    """Do something with a store between two runs; the command has an event loop of its own."""
    return asyncio.run(work)
