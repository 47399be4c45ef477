"""Where a command's results go: a terminal, a pipe, or one JSON document for a program."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from wa_core.cli.advice import advice_for
from wa_core.cli.blocks import Block
from wa_core.cli.plain import plain
from wa_core.errors import WaError

Say = Callable[[str], None]
"""Takes what is being done now."""


class Screen:
    """What a command writes to: results to `out`, what people read on the way to `err`."""

    def __init__(
        self, *, as_json: bool, out: TextIO | None = None, err: TextIO | None = None
    ) -> None:
        self.as_json = as_json
        self.out = out or sys.stdout
        self.err = err or sys.stderr

    def show(self, document: Any, blocks: Sequence[Block]) -> None:
        """Show a result: the document to programs, the blocks to people."""
        if self.as_json:
            self._write(json.dumps(document, indent=2))
        elif self.out.isatty():
            # Here, for whoever pipes pays nothing for rich.
            from rich.console import Console

            from wa_core.cli.colours import draw

            draw(blocks, Console(file=self.out, highlight=False))
        elif blocks:
            self._write(plain(blocks))

    def write_bytes(self, value: bytes) -> None:
        """Write bytes as they are, for a pipe or a file."""
        self.out.flush()
        self.out.buffer.write(value)
        self.out.buffer.flush()

    def fail(self, error: WaError) -> None:
        """Say what went wrong, and what to do about it."""
        advice = advice_for(error)
        if self.as_json:
            self._write(json.dumps({"error": described(error)}, indent=2))
            return
        self.err.write(f"wa: {error}\n")
        if advice:
            self.err.write(f"    {advice}\n")

    def complain(self, code: str, text: str) -> None:
        """Say what ended the command, where that is no error of ours."""
        if self.as_json:
            self._write(json.dumps({"error": {"code": code, "message": text}}, indent=2))
        else:
            self.err.write(f"wa: {text}\n")

    @contextmanager
    def busy(self, about: str) -> Iterator[Say]:
        """Show on a terminal what is being done, until the block ends."""
        if self.as_json or not self.err.isatty():
            yield lambda now: None
            return
        from rich.console import Console

        with Console(file=self.err, highlight=False).status("") as status:

            def say(now: str) -> None:
                status.update(f"{about}: {now}")

            say("...")
            yield say

    def ask(self, question: str) -> str | None:
        """Put a question and return the line that was typed; None where nobody can answer."""
        if self.as_json or not sys.stdin.isatty():
            return None
        self.err.write(question)
        self.err.flush()
        return sys.stdin.readline().strip()

    def _write(self, text: str) -> None:
        self.out.write(text + "\n")
        self.out.flush()


def described(error: WaError) -> dict[str, object]:
    """Describe an error for a program."""
    return {
        "code": error.code,
        "message": str(error),
        "retryable": error.retryable,
        "advice": advice_for(error),
    }
