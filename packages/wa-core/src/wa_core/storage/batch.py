"""What a write is: an ordered list of puts and deletes that takes effect as one [W1].

A batch checks its keys while it is built, so that nothing invalid ever reaches an engine [K4].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from wa_core.errors import InvalidPositionError, UsageError, masked
from wa_core.storage.keys import check_key

MAX_POSITION = 2**53 - 1
"""The greatest position: the last integer that a double, and so every backend, keeps exactly."""


@dataclass(frozen=True, slots=True, repr=False)
class Put:
    """Write `value` under `key`, at the position `at` or at one that the engine gives [O1]."""

    key: str
    value: bytes
    at: int | None = None

    def __repr__(self) -> str:
        return f"<Put {masked(self.key)!r}>"


@dataclass(frozen=True, slots=True, repr=False)
class Delete:
    """Remove `key` and every key below it [C1]."""

    key: str

    def __repr__(self) -> str:
        return f"<Delete {masked(self.key)!r}>"


Operation = Put | Delete


class Batch:
    """A growing list of operations; hand it to `Engine.apply` when it is complete."""

    __slots__ = ("_operations",)

    def __init__(self, operations: Iterable[Operation] = ()) -> None:
        self._operations: list[Operation] = []
        self.extend(operations)

    @classmethod
    def checked(cls, operations: Iterable[Operation]) -> Batch:
        """Take operations that came out of a batch and need no second look: for wrappers."""
        batch = cls()
        batch._operations.extend(operations)
        return batch

    def put(self, key: str, value: bytes | str, *, at: int | None = None) -> Batch:
        """Add a write; a `str` is stored as UTF-8 [V2]."""
        if at is not None:
            check_position(at)
        self._operations.append(Put(check_key(key), _exact(value), at))
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
            elif isinstance(operation, Delete):
                self.delete(operation.key)
            else:
                raise TypeError(f"a batch holds Put and Delete, not {type(operation).__name__}")
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


def _exact(value: bytes | str) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        # A UnicodeEncodeError would carry the whole value into its repr.
        with suppress(UnicodeEncodeError):
            return value.encode()
        raise UsageError("a str value is stored as UTF-8, which has no lone surrogates")
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    raise TypeError(f"a value is bytes or str, not {type(value).__name__}")
