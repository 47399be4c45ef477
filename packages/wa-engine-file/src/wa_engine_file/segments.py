"""The journal's segment files as they are read: where something is asked, and no more at a time."""

from __future__ import annotations

import os
from typing import BinaryIO, Protocol

STRIDE = 256 * 1024


class Source(Protocol):
    """What a segment is looked up in; bytes are one."""

    def __len__(self) -> int:
        """Return how many bytes there are."""

    def __getitem__(self, part: slice, /) -> bytes:
        """Return some of them."""

    def find(self, wanted: bytes, start: int, /) -> int:
        """Return where `wanted` begins at or behind `start`, or -1."""


class SegmentFile:
    """An open segment; what a writer adds to it later is not seen."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._length = os.fstat(file.fileno()).st_size

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice) -> bytes:
        begin, end, _ = part.indices(self._length)
        self._file.seek(begin)
        return self._file.read(max(0, end - begin))

    def find(self, wanted: bytes, start: int) -> int:
        """Return where `wanted` begins at or behind `start`, or -1."""
        while start < self._length:
            found = self[start : start + STRIDE + len(wanted) - 1].find(wanted)
            if found >= 0:
                return start + found
            start += STRIDE
        return -1
