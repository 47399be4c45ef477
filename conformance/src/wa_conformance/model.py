"""What a session must hold: an independent model with a logical clock.

It shares no code with an engine: keys and values are a dict, order is worked out by sorting UTF-8
bytes, and a position that the engine gives is known only by what the contract demands of it: later
than every one given before, and no earlier than the clock was when the call began [O1].
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

GREATEST = 2**53 - 1
PAST = (0, 1, 2, 9, 10, 999_999, 10**15)
"""Explicit positions that lie before any that a clock gives now."""
_GIVEN = 2**52


@dataclass(frozen=True, slots=True)
class Given:
    """A position that the engine chose: the how-manieth, and the clock before the call."""

    serial: int
    floor: int


@dataclass(frozen=True, slots=True)
class Put:
    """The model's own write."""

    key: str
    value: bytes
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """The model's own cascade."""

    key: str


Step = Put | Delete


class Model:
    """The state of one session, as the contract has it."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.positions: dict[str, int | Given] = {}
        self._given = 0
        self._seen: dict[int, int] = {}

    def apply(self, steps: Iterable[Step], *, clock: int) -> None:
        """Take the steps in their order; `clock` was read before the engine was called."""
        for step in steps:
            if isinstance(step, Put):
                self.values[step.key] = step.value
                self.positions[step.key] = self._position(step.at, clock)
            else:
                for key in [each for each in self.values if covers(step.key, each)]:
                    del self.values[key], self.positions[key]

    def clear(self) -> None:
        """Forget all keys, but not which positions were given."""
        self.values.clear()
        self.positions.clear()

    def begins(self, prefix: str) -> list[str]:
        """Name the keys that begin with `prefix`, in no order."""
        return [key for key in self.values if key[: len(prefix)] == prefix]

    def listed(self, prefix: str = "") -> list[str]:
        """Name the keys that begin with `prefix`, highest position first, ties by bytes [O2]."""
        return sorted(self.begins(prefix), key=lambda key: (-self._rank(key), key.encode()))

    def misplaced(self, positions: Mapping[str, int]) -> str | None:
        """Say what is wrong with the positions that the engine shows; None when nothing is."""
        given: list[tuple[int, str, int, int]] = []
        for key, found in positions.items():
            wanted = self.positions[key]
            if isinstance(wanted, Given):
                given.append((wanted.serial, key, found, wanted.floor))
            elif found != wanted:
                return f"{key!r} was put at={wanted} and stands at {found}"
        for serial, key, found, floor in sorted(given):
            if not floor <= found <= GREATEST:
                return f"{key!r} was given {found}, the clock said {floor} before the call"
            self._seen[serial] = found
        earlier = -1
        for serial in sorted(self._seen):
            if self._seen[serial] <= earlier:
                return f"position {self._seen[serial]} was given after {earlier}"
            earlier = self._seen[serial]
        return None

    def _position(self, at: int | None, clock: int) -> int | Given:
        if at is not None:
            return at
        self._given += 1
        return Given(self._given, clock)

    def _rank(self, key: str) -> int:
        position = self.positions[key]
        return _GIVEN + position.serial if isinstance(position, Given) else position


def covers(key: str, other: str) -> bool:
    """Tell whether deleting `key` removes `other` [C1]."""
    return other == key or other[: len(key) + 1] == key + "/"


def in_order(positions: Mapping[str, int]) -> list[str]:
    """Sort keys as a list shows them, from the positions that a scan has shown [O2]."""
    return sorted(positions, key=lambda key: (-positions[key], key.encode()))
