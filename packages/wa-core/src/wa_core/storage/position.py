"""The clock that positions come from: never twice the same, never backwards [O1]."""

from __future__ import annotations

import time
from collections.abc import Callable


def wall_clock_us() -> int:
    """Return microseconds since 1970, as this machine counts them."""
    return time.time_ns() // 1000


class PositionClock:
    """Gives positions, each greater than all it gave before, whatever the wall clock does."""

    def __init__(self, *, last: int = 0, now: Callable[[], int] = wall_clock_us) -> None:
        self.last = last
        self._now = now

    def next(self) -> int:
        """Give the next position."""
        self.last = max(self._now(), self.last + 1)
        return self.last
