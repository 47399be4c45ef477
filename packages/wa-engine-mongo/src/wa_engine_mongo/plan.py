"""What a batch comes to: the trees to remove, then the values to write, each once.

The idea: read from its end, a batch says of every operation whether it still counts: a put is
undone by a later put of its key or a later delete of it or of anything above. What is left may be
done in two steps, all removals first, and comes to the same [W1].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wa_core.storage import Delete, Operation, Put


@dataclass(frozen=True, slots=True)
class PlannedPut:
    """A value to write, at a given position, or at the n-th of those that the session gives."""

    key: str
    value: bytes
    at: int | None
    turn: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The net effect of a batch."""

    gone: tuple[str, ...] = ()
    """The keys that go with all below them; none lies below another."""
    puts: tuple[PlannedPut, ...] = ()
    positions: int = 0
    """How many positions the session has to give."""
    everything: bool = False
    """All records go: `clear`."""


def planned(operations: Sequence[Operation]) -> Plan:
    """Find the net effect of operations in their order."""
    turn = sum(isinstance(operation, Put) and operation.at is None for operation in operations)
    positions = turn
    gone: set[str] = set()
    puts: dict[str, PlannedPut] = {}
    for operation in reversed(operations):
        if isinstance(operation, Delete):
            gone.add(operation.key)
            continue
        turn -= operation.at is None
        if operation.key not in puts and not (gone and _is_under(operation.key, gone)):
            puts[operation.key] = PlannedPut(operation.key, operation.value, operation.at, turn)
    roots = sorted(key for key in gone if not _is_under(key, gone, itself=False))
    return Plan(tuple(roots), tuple(reversed(puts.values())), positions)


def _is_under(key: str, roots: set[str], *, itself: bool = True) -> bool:
    return (itself and key in roots) or any(parent in roots for parent in _parents(key))


def _parents(key: str) -> Iterator[str]:
    at = key.rfind("/")
    while at > 0:
        yield key[:at]
        at = key.rfind("/", 0, at)
