"""What a write is: an ordered list of puts and deletes that takes effect as one [W1].

A batch checks its keys while it is built, so that nothing invalid ever reaches an engine [K4].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from wa_core.errors import InvalidPositionError
from wa_core.storage.keys import check_key

MAX_POSITION = 2**53 - 1
"""The greatest position: the last integer that a double, and so every backend, keeps exactly."""


@dataclass(frozen=True, slots=True)
class Put:
    """Write `value` under `key`, at the position `at` or at one that the engine gives [O1]."""

    key: str
    value: bytes = field(repr=False)
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove `key` and every key below it [C1]."""

    key: str


Operation = Put | Delete


class Batch:
    """A growing list of operations; hand it to `Engine.apply` when it is complete."""

    __slots__ = ("_operations",)

    def __init__(self, operations: Iterable[Operation] = ()) -> None:
        self._operations: list[Operation] = []
        self.extend(operations)

    def put(self, key: str, value: bytes | str, *, at: int | None = None) -> Batch:
        """Add a write; a `str` is stored as UTF-8 [V2]."""
        if at is not None:
            check_position(at)
        data = value.encode() if isinstance(value, str) else _exact(value)
        self._operations.append(Put(check_key(key), data, at))
        return self

    def delete(self, key: str) -> Batch:
        """Add a cascade: `key` and all below it [C1]."""
        self._operations.append(Delete(check_key(key)))
        return self

    def extend(self, operations: Iterable[Operation]) -> Batch:
        """Add the operations of another batch, in their order."""
        for operation in operations:
            if isinstance(operation, Put):
                self.put(operation.key, operation.value, at=operation.at)
            else:
                self.delete(operation.key)
        return self

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._operations)

    def __len__(self) -> int:
        return len(self._operations)

    def __repr__(self) -> str:
        return f"<Batch of {len(self)}>"


def check_position(at: int) -> int:
    """Return `at` if it is a position, else raise `InvalidPositionError`."""
    if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at <= MAX_POSITION:
        raise InvalidPositionError(at)
    return at


def _exact(value: bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    raise TypeError(f"a value is bytes or str, not {type(value).__name__}")
