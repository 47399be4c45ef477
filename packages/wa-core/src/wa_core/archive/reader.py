"""Reading an archive: from its first byte to its last, or one record at a known place.

Reading forward needs no more memory than the largest record, and proves the whole file: every
frame, the order of the keys, their number, the digest, and that nothing stands behind the end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from wa_core.archive.closable import Closable
from wa_core.archive.frames import (
    END_NUMBER,
    END_SIZE,
    LENGTH,
    MAX_FRAME,
    MAX_METADATA,
    TAG_SIZE,
    About,
    End,
    FrameCipher,
    Sum,
    entry_of,
    named,
)
from wa_core.archive.header import HEADER_SIZE, Header
from wa_core.archive.place import disk_errors
from wa_core.crypto.derivation import Secret
from wa_core.errors import DamagedArchiveError, NoArchiveError
from wa_core.storage import Entry

_WINDOW = 256 * 1024


class ArchiveReader(Closable):
    """An open archive; what opens has the right key, metadata and an end."""

    def __init__(self, path: str, secret: Secret) -> None:
        self.path = path
        with disk_errors():
            # A pipe without a writer would keep an ordinary open waiting.
            self._handle: int = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            self._begin(secret)
        except BaseException:
            self.close()
            raise

    def _begin(self, secret: Secret) -> None:
        with disk_errors():
            self.size = os.fstat(self._handle).st_size
            if not os.path.isfile(self.path):
                raise NoArchiveError(self.path, "it is no file")
            start = os.pread(self._handle, HEADER_SIZE, 0)
        unlocked = Header.from_bytes(start, self.path).unlock(secret)
        self._cipher = FrameCipher(unlocked.frame_key, unlocked.data)
        forward = self._forward(HEADER_SIZE)
        plain = forward.frame(0, MAX_METADATA)
        self._metadata = plain
        self.about = About.from_bytes(plain)
        self._first = forward.at
        self.end = self._last_frame()

    def _last_frame(self) -> End:
        """Open the end, which also tells an archive that was cut off."""
        at = self.size - END_SIZE
        if at < self._first:
            raise DamagedArchiveError("it ends before its end: it was cut off")
        data = self._forward(at).take(END_SIZE)
        if LENGTH.unpack_from(data)[0] != END_SIZE - LENGTH.size:
            raise DamagedArchiveError("it does not end with its end: cut off, or added to")
        return End.from_bytes(self._cipher.open(END_NUMBER, data[LENGTH.size :]))

    def entries(self) -> Iterator[tuple[int, Entry]]:
        """Read all records with the places of their frames; raise for whatever is wrong."""
        found, stop, last = Sum(), self.size - END_SIZE, ""
        found.add(self._metadata)
        forward = self._forward(self._first)
        for number in range(1, self.end.count + 1):
            at = forward.at
            if at >= stop:
                raise DamagedArchiveError(f"it has fewer than {self.end.count} records")
            plain = forward.frame(number, MAX_FRAME)
            found.add(plain)
            entry = entry_of(plain)
            if entry.key <= last:
                raise DamagedArchiveError("its records are not in the order of their keys")
            last = entry.key
            yield at, entry
        if forward.at != stop:
            raise DamagedArchiveError("something stands between its records and its end")
        if found.digest() != self.end.digest:
            raise DamagedArchiveError("its digest is not that of its records")

    def entry_at(self, number: int, at: int) -> Entry:
        """Read the record with that number, whose frame begins at that place."""
        with disk_errors():
            size = LENGTH.unpack(os.pread(self._handle, LENGTH.size, at))[0]
            data = os.pread(self._handle, size, at + LENGTH.size)
        return entry_of(self._cipher.open(number, data))

    def close(self) -> None:
        """Let go of the file."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _forward(self, at: int) -> _Forward:
        return _Forward(self._handle, self._cipher, at)


class _Forward:
    """Reads a file onward in large pieces."""

    def __init__(self, handle: int, cipher: FrameCipher, at: int) -> None:
        self.at = at
        self._handle = handle
        self._cipher = cipher
        self._window = b""
        self._start = at

    def frame(self, number: int, limit: int) -> bytes:
        """Read and open the next frame."""
        size: int = LENGTH.unpack(self.take(LENGTH.size))[0]
        if not TAG_SIZE < size <= limit:
            raise DamagedArchiveError(f"{named(number)} has an impossible length")
        return self._cipher.open(number, self.take(size))

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        offset = self.at - self._start
        if offset + size > len(self._window):
            with disk_errors():
                self._window = os.pread(self._handle, max(size, _WINDOW), self.at)
            self._start, offset = self.at, 0
            if len(self._window) < size:
                raise DamagedArchiveError("it was cut off")
        self.at += size
        return self._window[offset : offset + size]
