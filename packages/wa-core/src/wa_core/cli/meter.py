"""Showing how far a migration is: one line that moves on a terminal, JSON lines for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TextIO

from wa_core.migrate import Phase, Progress

_EVERY_S = 0.2
_COUNTED = (Phase.COPYING, Phase.VERIFYING, Phase.REMOVING)


class Meter:
    """A listener that draws; `finish` leaves the terminal clean."""

    def __init__(self, stream: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._now = now
        self._phase: Phase | None = None
        self._began = 0.0
        self._drawn = float("-inf")
        self._moves = stream.isatty()

    def __call__(self, progress: Progress) -> None:
        """Show one step."""
        now = self._now()
        begins = progress.phase is not self._phase
        if begins:
            self._phase, self._began = progress.phase, now
        if self._moves:
            ended = progress.done == progress.total
            if begins or ended or now - self._drawn >= _EVERY_S:
                self._drawn = now
                self._write(f"\r\x1b[2K{line(progress, now - self._began)}")
        elif begins:
            self._write(f"{line(progress, 0.0)}\n")

    def finish(self) -> None:
        """Take the moving line away."""
        if self._moves:
            self._write("\r\x1b[2K")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def line(progress: Progress, seconds: float) -> str:
    """Spell one step, with rate and time left where they can be known."""
    words = [f"{progress.phase:<10}"]
    if progress.phase in _COUNTED:
        words.append(f"{progress.done:,} of {progress.total:,} records")
        if progress.size:
            words.append(f"{progress.size / 1e6:,.1f} MB")
        if seconds > 0 and progress.done:
            rate = progress.done / seconds
            words.append(f"{rate:,.0f}/s")
            words.append(f"{max(progress.total - progress.done, 0) / rate:,.0f} s left")
    if progress.note:
        words.append(progress.note)
    return "  ".join(words)


class JsonLines:
    """A listener that writes one JSON object per line."""

    def __init__(self, stream: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._now = now
        self._began = now()

    def __call__(self, progress: Progress) -> None:
        """Write one step."""
        self.tell(
            "progress",
            phase=progress.phase,
            done=progress.done,
            total=progress.total,
            bytes=progress.size,
            note=progress.note,
            seconds=round(self._now() - self._began, 3),
        )

    def finish(self) -> None:
        """Do nothing: every line is complete."""

    def tell(self, event: str, **facts: Any) -> None:
        """Write one line."""
        self._stream.write(json.dumps({"event": event, **facts}) + "\n")
        self._stream.flush()
