"""A clock that stands still until it is moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(eq=False)
class Call:
    """A call that waits for its moment."""

    when: float
    callback: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """Calls what is due when it is moved there."""

    def __init__(self) -> None:
        self.now = 100.0
        self._calls: list[Call] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> Call:
        self._calls.append(Call(when, callback))
        return self._calls[-1]

    def move(self, seconds: float) -> None:
        self.now += seconds
        due = [call for call in self._calls if call.when <= self.now + 1e-9]
        self._calls = [call for call in self._calls if call not in due]
        for call in sorted(due, key=lambda call: call.when):
            if not call.cancelled:
                call.callback()

    @property
    def waiting(self) -> int:
        return sum(not call.cancelled for call in self._calls)
