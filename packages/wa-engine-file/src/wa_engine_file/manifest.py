"""The manifest: what the folder must hold, as of the last checkpoint [G1, G2].

The idea: a text file that grows by blocks. A line is a key with its position, size and checksum,
or with nothing when the key is gone; a block ends in a line with its own checksum and the number
of the last commit it covers. A block that was cut off by a crash does not count: the journal
still holds what it said. It is read and written in pieces, for it may be large.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import BinaryIO

from wa_core.errors import CorruptRecordError, StoreVersionError

from wa_engine_file.change import Facts, Known
from wa_engine_file.contents import Contents
from wa_engine_file.disk import Disk
from wa_engine_file.keys import Spelling
from wa_engine_file.lines import line

NAME = "manifest"
FORMAT = 1
COMPACT_FROM = 4096
PIECE_BYTES = 1024 * 1024
PIECE_LINES = 4096
_DAMAGED = "a block of it that was complete is damaged"


@dataclass(slots=True)
class Covered:
    """How far the folder is known to be right."""

    seq: int = 0
    generation: int = 0
    last: int = 0
    epoch: int = 0


@dataclass(slots=True)
class Manifest:
    """What a manifest says beside its lines."""

    spelling: Spelling
    secret: bytes
    covered: Covered = field(default_factory=Covered)
    lines: int = 0
    length: int = 0
    """How many bytes of the file count."""


def head(spelling: Spelling, secret: bytes) -> bytes:
    """Write the first line of a manifest."""
    return f"wa-file {FORMAT} {spelling} {secret.hex()}\n".encode()


def block(
    first: bytes, facts: Iterable[tuple[str, Known | None]], covered: Covered
) -> Iterator[bytes]:
    """Write one block below a first line: what is known of keys, and the line that ends it.

    A bare position is all there is of a value that was taken over; None is a key that is gone.
    """
    left, crc, last = iter(facts), zlib.crc32(first), b""
    while piece := "".join(line(*fact) for fact in islice(left, PIECE_LINES)).encode():
        crc = zlib.crc32(piece, crc)
        if last:
            yield last
        last = piece
    end = f"{covered.seq} {covered.generation} {covered.last} {covered.epoch}".encode()
    yield b"%b\t%b\t%b\n" % (last, _checksum(crc, end), end)


def _checksum(crc: int, end: bytes) -> bytes:
    """Sum up all that a block says and stands under: a wrong secret would hide the journal."""
    return b"%x" % zlib.crc32(end, crc)


def read_manifest(file: BinaryIO, contents: Contents) -> Manifest:
    """Read a manifest into empty contents, or raise for one that is newer or damaged."""
    first = file.readline()
    words = first.decode(errors="replace").rstrip("\n").split(" ")
    if len(words) < 2 or words[0] != "wa-file" or not first.endswith(b"\n"):
        raise CorruptRecordError(NAME, "its first line is no manifest's")
    if words[1] != str(FORMAT):
        raise StoreVersionError(words[1], FORMAT)
    covered, length = _proven(file, first)
    found = Manifest(Spelling(words[2]), bytes.fromhex(words[3]), covered, length=length)
    file.seek(len(first))
    left = length - len(first)
    for piece in _pieces(file):
        body = b"".join(lines for lines, _ in _parts(piece[:left]))
        found.lines += body.count(b"\n")
        contents.fill(body.decode())
        left -= len(piece)
        if left <= 0:
            return found
    raise CorruptRecordError(NAME, "it became shorter while it was read")


def _proven(file: BinaryIO, first: bytes) -> tuple[Covered, int]:
    """Return what the last block covers that counts, and where it ends."""
    covered, length, at = None, 0, len(first)
    fresh = crc = zlib.crc32(first)
    damaged = False
    for piece in _pieces(file):
        for lines, end in _parts(piece):
            at, crc = at + len(lines), zlib.crc32(lines, crc)
            if end is None:
                continue
            if damaged:
                # Something whole is behind it, so it was no unfinished end.
                raise CorruptRecordError(NAME, _DAMAGED)
            at += len(end) + 1
            fields = end.split(b"\t")
            if len(fields) == 3 and _checksum(crc, fields[2]) == fields[1]:
                covered, length = Covered(*map(int, fields[2].split())), at
            else:
                damaged = True
            crc = fresh
    if covered is None:
        raise CorruptRecordError(NAME, _DAMAGED)
    return covered, length


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """Read the rest of a file, cut where lines end."""
    while piece := file.read(PIECE_BYTES):
        yield piece + file.readline()


def _parts(piece: bytes) -> Iterator[tuple[bytes, bytes | None]]:
    """Split lines at each that begins with a tab: no key does, it ends a block."""
    at = 0
    while (found := _end_line(piece, at)) is not None:
        begin, end = found
        yield piece[at:begin], piece[begin:end]
        at = end + 1
    yield piece[at:], None


def _end_line(lines: bytes, at: int) -> tuple[int, int] | None:
    """Find the next whole line that begins with a tab."""
    begin = at
    if not lines.startswith(b"\t", at):
        before = lines.find(b"\n\t", at)
        if before < 0:
            return None
        begin = before + 1
    end = lines.find(b"\n", begin)
    return None if end < 0 else (begin, end)


class ManifestFile:
    """The manifest on the disk, as its one writer sees it."""

    def __init__(
        self, disk: Disk, folder: str, *, synced: bool, empty: Callable[[], Contents]
    ) -> None:
        self._disk = disk
        self._folder = folder
        self._path = f"{folder}/{NAME}"
        self._synced = synced
        self._empty = empty
        self.sound = True
        """Whether all is known to be on the disk that was to be."""
        self._head = b""
        self._handle: int | None = None
        self._length = 0
        self._lines = 0
        self._live = 0

    def go_on(self, manifest: Manifest, *, live: int) -> None:
        """Go on behind what was found in the file; what a crash left unfinished is cut off."""
        self._disk.unlink(f"{self._path}.new")
        self._head = head(manifest.spelling, manifest.secret)
        self._open(manifest.length, manifest.lines, live=live)

    def begin(self, manifest: Manifest, contents: Contents) -> None:
        """Write a new one that holds what the contents say."""
        self._head = head(manifest.spelling, manifest.secret)
        lines = block(self._head, contents.everything(), manifest.covered)
        temporary = f"{self._path}.new"
        self._disk.unlink(temporary)
        handle = self._disk.open_log(temporary)
        try:
            length = self._write(handle, chain([self._head], lines), 0)
        finally:
            os.close(handle)
        if self._synced:
            self._disk.sync_path(temporary)
        self._disk.rename(temporary, self._path)
        self.sound = False
        if self._synced:
            self._disk.sync_path(self._folder)
        self._open(length, len(contents), live=len(contents))
        self.sound = True

    def append(self, facts: dict[str, Facts | None], covered: Covered) -> None:
        """Add a block, synced; rewrite the file when most of it is history."""
        assert self._handle is not None
        end = self._write(self._handle, block(self._head, facts.items(), covered), self._length)
        if self._synced:
            self._sync_or_take_back()
        self._length = end
        self._lines += len(facts)
        if self._lines > 2 * self._live + COMPACT_FROM:
            with closing(self._empty()) as contents, self._disk.open(self._path) as file:
                self.begin(read_manifest(file, contents), contents)

    def close(self) -> None:
        """Let go of the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _write(self, handle: int, pieces: Iterable[bytes], at: int) -> int:
        """Write piece behind piece; return where the last one ends."""
        for piece in pieces:
            self._disk.write_at(handle, piece, at)
            at += len(piece)
        return at

    def _sync_or_take_back(self) -> None:
        """Sync; if that fails, cut the block off: who opens next must not build on it, for the
        kernel may show what the disk will not have."""
        assert self._handle is not None
        try:
            self._disk.sync_log(self._handle)
        except BaseException:
            self.sound = False
            with suppress(OSError):
                self._disk.truncate(self._handle, self._length)
            raise

    def _open(self, length: int, lines: int, *, live: int) -> None:
        self.close()
        self._handle = self._disk.open_log(self._path)
        self._disk.truncate(self._handle, length)
        if self._synced:
            # Else what was cut off could come back behind what is written next.
            self._disk.sync_log(self._handle)
        self._length, self._lines, self._live = length, lines, live
