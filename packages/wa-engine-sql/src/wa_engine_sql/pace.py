"""Whether a session can be written in one message: while nobody else writes it.

The idea: every write gives the session another `turn`, a number that it never had. Who wrote last
knows the number, and names it in the next write, which changes nothing when somebody else has
written since, or when the network delivers it after its caller gave up and wrote more. Without the
number a write asks first.
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")

_IN_COMPANY = 16
"""Writes that do not remember the number, once somebody else was found to write too."""


class Pace(Generic[T]):
    """What is known of one session's last turn, if it was ours."""

    def __init__(self) -> None:
        self._turn: T | None = None
        self._in_company = 0

    @property
    def known(self) -> T | None:
        """What `take` would return."""
        return self._turn

    def take(self) -> T | None:
        """Return what is known, and forget it until `went` says how it went on."""
        turn, self._turn = self._turn, None
        return turn

    def went(self, turn: T) -> None:
        """Remember a turn that was ours."""
        self._turn = turn

    def met_another(self) -> None:
        """Ask first for a while: a number that is wrong costs a message."""
        self._in_company = _IN_COMPANY

    def is_alone(self) -> bool:
        """Tell whether a turn that had to be asked for is worth remembering."""
        self._in_company = max(0, self._in_company - 1)
        return not self._in_company
