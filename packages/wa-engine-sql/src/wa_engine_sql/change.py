"""What a batch comes to: trees to delete, then records to write, nothing twice.

The idea: read the batch from its end. A put that a later operation covers leaves no trace, so all
deletes can go first and every database needs two kinds of statement only [W1].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

from wa_core.storage import MAX_POSITION, Operation, Put
from wa_core.storage.keys import ancestors

from wa_engine_sql.folders import Hashes, hashes_of, is_deep

CHUNK_BYTES = 8 * 1024 * 1024
"""What one statement carries, unless a single value is larger."""
CHUNK_ROWS = 2_000
ROW_BYTES = 150
"""About what a record takes beside its key and value."""


@dataclass(frozen=True, slots=True, repr=False)
class Record:
    """One record to write."""

    key: bytes
    value: bytes
    at: int | None
    crc: int
    """The checksum that its row carries."""
    hashes: Hashes
    """The numbers of its folders."""

    @classmethod
    def of(cls, key: bytes, value: bytes, at: int | None) -> Record:
        """Work out what the row of a record holds."""
        return cls(key, value, at, checksum(key, value), hashes_of(key))

    @property
    def size(self) -> int:
        """About the bytes that it takes in a statement."""
        return len(self.key) + len(self.value) + ROW_BYTES


@dataclass(frozen=True, slots=True, repr=False)
class Change:
    """The net effect of a batch: the deletes come first."""

    deletes: list[bytes]
    puts: list[Record]

    @property
    def deep(self) -> list[bytes]:
        """The keys to write that lie in folders too deep for their records."""
        return [put.key for put in self.puts if is_deep(put.key)]

    def chunks(self, *, most: int = CHUNK_BYTES) -> Iterator[list[Record]]:
        """Cut the puts into statements of bounded size, in their order."""
        chunk: list[Record] = []
        size = 0
        for put in self.puts:
            if chunk and (size + put.size > most or len(chunk) == CHUNK_ROWS):
                yield chunk
                chunk, size = [], 0
            chunk.append(put)
            size += put.size
        if chunk:
            yield chunk


def change_of(operations: Sequence[Operation]) -> Change:
    """Work out what the operations, in their order, leave to be done."""
    gone: set[str] = set()
    written: set[str] = set()
    puts: list[Record] = []
    for operation in reversed(operations):
        key = operation.key
        covered = key in gone or _below_any(key, gone)
        if isinstance(operation, Put):
            if not covered and key not in written:
                written.add(key)
                puts.append(Record.of(key.encode(), operation.value, operation.at))
        elif not covered:
            gone.add(key)
    puts.reverse()
    return Change([key.encode() for key in sorted(gone)], puts)


def checksum(key: bytes, value: bytes) -> int:
    """Return what a row carries to prove that it is what was written [G2]: 32 bits, signed."""
    found = crc32(value, crc32(key))
    return found - (1 << 32) if found >> 31 else found


def position_of(npos: object) -> int | None:
    """Return the position that a row holds, negated so that the newest comes first."""
    return -npos if isinstance(npos, int) and 0 <= -npos <= MAX_POSITION else None


def _below_any(key: str, trees: set[str]) -> bool:
    return bool(trees) and any(above[:-1] in trees for above in ancestors(key)[1:])
