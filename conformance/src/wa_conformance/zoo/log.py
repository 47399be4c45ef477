"""The file of a small healthy store: one log, to which every batch is added as one record.

The idea: a record is written in one call under a file lock, so it is there or it is not. A reader
reads on from where it stopped; what a killed writer left unfinished at the end is cut off by the
next writer. Values stay in the file, each with a checksum.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from zlib import crc32

from wa_core.errors import CorruptRecordError, FencedError, LeaseHeldError, StoreVersionError
from wa_core.storage import CONTRACT_VERSION, Operation, OrderedIndex, PositionClock, Put
from wa_core.storage.leasebook import suspend_clock

FOLDER = "WA_ZOO_DIR"
"""The environment variable that names the folder of all stores."""
HEADER = struct.Struct("<4sII")
"""What a record begins with: the mark, the length of its rows, the length of its values."""
MARK = b"rec:"

Row = tuple[Any, ...]


def base_folder() -> Path:
    """Return the folder of all stores."""
    return Path(os.environ.get(FOLDER) or os.path.join(tempfile.gettempdir(), "wa-zoo"))


def folder_of(name: str, session: str) -> Path:
    """Return the folder of one specimen's session."""
    return base_folder() / f"{name}-{sha256(session.encode()).hexdigest()[:24]}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands in the file."""

    offset: int
    size: int
    checksum: int


@dataclass(slots=True)
class LeaseRow:
    """The last lease that was given."""

    epoch: int = 0
    holder: str = ""
    expires_at: float = float("-inf")

    def check_free(self) -> None:
        """Raise `LeaseHeldError` if somebody holds the lease."""
        left = self.expires_at - suspend_clock()
        if left > 0:
            raise LeaseHeldError(self.holder, left)

    def check_current(self, epoch: int) -> None:
        """Raise `FencedError` unless the lease of `epoch` is current."""
        if epoch != self.epoch or suspend_clock() >= self.expires_at:
            raise FencedError(epoch)


class Log:
    """What one opener knows of the file, and how it adds to it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.file = os.open(folder / "log", os.O_RDWR | os.O_CREAT, 0o600)
        self.lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        self.index = OrderedIndex()
        self.places: dict[str, Place] = {}
        self.clock = PositionClock()
        self.lease = LeaseRow()
        self.end = 0
        try:
            self.catch_up()
        except StoreVersionError:
            self.close()
            raise

    def close(self) -> None:
        """Close the file, and so give back the lock."""
        os.close(self.file)
        os.close(self.lock)

    def lock_taken(self) -> bool:
        """Try to take the writers' lock."""
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(self) -> None:
        """Give the writers' lock back."""
        fcntl.flock(self.lock, fcntl.LOCK_UN)

    def catch_up(self) -> None:
        """Read what others added since the last time."""
        size = os.fstat(self.file).st_size
        if size > self.end:
            for rows, values, end in records(os.pread(self.file, size - self.end, self.end)):
                self.replay(rows, self.end + values)
                self.end += end

    def replay(self, rows: Sequence[Row], offset: int) -> None:
        """Take over the rows of one record, whose values begin at `offset`."""
        for kind, *row in rows:
            if kind == "put":
                key, at, given, size, checksum = row
                self.index.put(key, at)
                self.places[key] = Place(offset, size, checksum)
                offset += size
                if given:
                    self.clock.last = max(self.clock.last, at)
            elif kind == "delete":
                for gone in self.index.under(row[0]):
                    self.forget(gone)
            elif kind == "clear":
                for gone in list(self.places):
                    self.forget(gone)
            elif kind == "lease":
                self.lease = LeaseRow(*row)
            elif kind == "version" and row[0] > CONTRACT_VERSION:
                raise StoreVersionError(row[0], CONTRACT_VERSION)

    def forget(self, key: str) -> None:
        """Drop what is known of a key."""
        self.index.discard(key)
        del self.places[key]

    def read(self, key: str) -> bytes:
        """Read the value of a key that is present."""
        place = self.places[key]
        kept = os.pread(self.file, place.size, place.offset)
        if not self.is_sound(key):
            raise CorruptRecordError(key)
        return kept[:-1]

    def is_sound(self, key: str) -> bool:
        """Tell whether a key that is present can be read."""
        place = self.places[key]
        return crc32(os.pread(self.file, place.size, place.offset)) == place.checksum

    def rows_of(self, operations: Sequence[Operation]) -> tuple[list[Row], bytes]:
        """Turn a batch into rows and values; the lock is held, and all is read."""
        rows: list[Row] = []
        values = []
        for each in operations:
            if isinstance(each, Put):
                at = self.clock.next() if each.at is None else each.at
                # One byte more than the value, so that an empty one can be damaged as well.
                kept = each.value + b"\n"
                rows.append(("put", each.key, at, each.at is None, len(kept), crc32(kept)))
                values.append(kept)
            else:
                rows.append(("delete", each.key))
        return rows, b"".join(values)

    def append(self, rows: Sequence[Row], values: bytes = b"") -> None:
        """Add one record; the lock is held, and all is read."""
        os.ftruncate(self.file, self.end)
        os.pwrite(self.file, record(rows, values), self.end)
        self.catch_up()


def record(rows: Sequence[Row], values: bytes) -> bytes:
    """Write rows and values as one record."""
    head = json.dumps(rows).encode()
    return HEADER.pack(MARK, len(head), len(values)) + head + values


def records(data: bytes) -> Iterator[tuple[list[Row], int, int]]:
    """Yield the complete records: their rows, where their values begin, where they end.

    Both places count from the end of the record before.
    """
    start = 0
    while len(data) - start >= HEADER.size:
        mark, rows, values = HEADER.unpack_from(data, start)
        begun = start + HEADER.size
        if mark != MARK or len(data) < begun + rows + values:
            return
        whole = HEADER.size + rows + values
        yield json.loads(data[begun : begun + rows]), HEADER.size + rows, whole
        start += whole
