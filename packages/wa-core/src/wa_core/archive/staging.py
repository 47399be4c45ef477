"""Records put down in any order and taken up in the order of their keys, in bounded memory.

They lie in a file that has no name, sealed with a key that nobody keeps: what a crash leaves on the
disk is noise. Sorted runs are written one behind the other and merged when they are read; a store
that scans in the order of its keys makes a single one.
"""

from __future__ import annotations

import heapq
import os
import secrets
import struct
import tempfile
from collections.abc import Iterable, Iterator

from wa_core.archive.closable import Closable
from wa_core.archive.frames import FrameCipher
from wa_core.archive.place import disk_errors
from wa_core.storage import Entry

RUN_BYTES = 8 * 1024 * 1024
"""What lies in memory until it is sorted and put down, roughly."""
_BLOCK = 16 * 1024
"""Of each run one block is in memory while they are merged."""
_ENTRY_COST = 200
_HEAD = struct.Struct(">HQI")
_LENGTH = struct.Struct(">I")


class Staging(Closable):
    """A heap of records on the disk."""

    def __init__(self, folder: str, *, run_bytes: int = RUN_BYTES) -> None:
        with disk_errors():
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - see close
        self._cipher = FrameCipher(secrets.token_bytes(32), b"")
        self._run_bytes = run_bytes
        self._waiting: list[Entry] = []
        self._waits_for = 0
        self._blocks = 0
        self._size = 0
        self._runs: list[tuple[int, int, int]] = []
        """Of each run: where its first block begins, its last ends, and the number of the first."""
        self._last = ""

    def add_all(self, entries: Iterable[Entry]) -> None:
        """Put some records down."""
        for entry in entries:
            self._waiting.append(entry)
            self._waits_for += len(entry.value) + len(entry.key) + _ENTRY_COST
            if self._waits_for >= self._run_bytes:
                self._write_run()

    def merged(self) -> Iterator[Entry]:
        """Take all of them up, by key; one that was put down twice comes twice."""
        self._write_run()
        runs = (self._run(*run) for run in self._runs)
        return heapq.merge(*runs, key=_key)

    def fileno(self) -> int:
        """Return the handle of the file, which has no name."""
        return self._file.fileno()

    def close(self) -> None:
        """Throw everything away."""
        self._file.close()

    def _write_run(self) -> None:
        if not self._waiting:
            return
        entries = sorted(self._waiting, key=_key)
        self._waiting, self._waits_for = [], 0
        start, number = self._size, self._blocks
        piece: list[bytes] = []
        size = 0
        for entry in entries:
            key = entry.key.encode()
            piece += (_HEAD.pack(len(key), entry.at, len(entry.value)), key, entry.value)
            size += len(key) + len(entry.value)
            if size >= _BLOCK:
                self._write_block(b"".join(piece))
                piece, size = [], 0
        self._write_block(b"".join(piece))
        if self._runs and self._last < entries[0].key:
            start, _, number = self._runs.pop()
        self._runs.append((start, self._size, number))
        self._last = entries[-1].key

    def _write_block(self, plain: bytes) -> None:
        if not plain:
            return
        data = self._cipher.seal(self._blocks, plain)
        with disk_errors():
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        self._blocks += 1
        self._size += len(data)

    def _run(self, start: int, stop: int, number: int) -> Iterator[Entry]:
        handle = self.fileno()
        while start < stop:
            with disk_errors():
                size = _LENGTH.unpack(os.pread(handle, _LENGTH.size, start))[0]
                data = os.pread(handle, size, start + _LENGTH.size)
            yield from _unpacked(self._cipher.open(number, data))
            start += _LENGTH.size + size
            number += 1


def _unpacked(block: bytes) -> Iterator[Entry]:
    at = 0
    while at < len(block):
        key_size, position, size = _HEAD.unpack_from(block, at)
        start = at + _HEAD.size + key_size
        at = start + size
        yield Entry(block[start - key_size : start].decode(), block[start:at], position)


def _key(entry: Entry) -> str:
    # Code points sort as their UTF-8 bytes do.
    return entry.key
