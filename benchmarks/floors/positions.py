"""Positions of a floor: the clock in microseconds, counted on where it stands still."""

from __future__ import annotations

from time import time_ns


class Positions:
    """Gives positions that only grow."""

    def __init__(self) -> None:
        self._last = 0

    def take(self) -> int:
        """Give the next one."""
        self._last = max(self._last + 1, time_ns() // 1000)
        return self._last
