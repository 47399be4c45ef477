"""The manifest: what the folder must hold, as of the last checkpoint [G1, G2].

The idea: a text file that grows by blocks. A line is a key with its position, size and checksum,
or with nothing when the key is gone; a block ends in a line with its own checksum and the number
of the last commit it covers. A block that was cut off by a crash does not count: the journal
still holds what it said.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from wa_core.errors import CorruptRecordError, StoreVersionError

from wa_engine_file.change import Facts
from wa_engine_file.disk import Disk
from wa_engine_file.keys import Spelling

NAME = "manifest"
FORMAT = 1
GONE = -1
COMPACT_FROM = 4096


Sum = str | tuple[int, int]
"""Size and checksum of a value; from a manifest still as text, for most are never asked for, and
empty for a value that was taken over."""


@dataclass(slots=True)
class Covered:
    """How far the folder is known to be right."""

    seq: int = 0
    generation: int = 0
    last: int = 0
    epoch: int = 0


@dataclass(slots=True)
class Manifest:
    """The content of a manifest file."""

    spelling: Spelling
    secret: bytes
    covered: Covered = field(default_factory=Covered)
    positions: dict[str, int] = field(default_factory=dict)
    sums: dict[str, Sum] = field(default_factory=dict)
    lines: int = 0
    length: int = 0
    """How many bytes of the file count."""

    def facts(self, key: str) -> Facts | None:
        """Return what is recorded for `key`, or None for a file that we did not write."""
        return facts_from(self.sums.get(key), self.positions[key])


def facts_from(known: Sum | None, at: int) -> Facts | None:
    """Complete what is recorded of a value; None for one that somebody else wrote."""
    if not known:
        return None
    if isinstance(known, str):
        size, crc = known.split()
        return Facts(at, int(size), int(crc, 16))
    return Facts(at, *known)


def head(spelling: Spelling, secret: bytes) -> bytes:
    """Write the first line of a manifest."""
    return f"wa-file {FORMAT} {spelling} {secret.hex()}\n".encode()


def block(first: bytes, facts: Iterable[tuple[str, Facts | int | None]], covered: Covered) -> bytes:
    """Write one block below a first line: what is known of keys, and the line that ends it.

    A bare position is all there is of a value that was taken over; None is a key that is gone.
    """
    body = "".join(_line(key, known) for key, known in facts).encode()
    end = f"{covered.seq} {covered.generation} {covered.last} {covered.epoch}".encode()
    return b"%b\t%b\t%b\n" % (body, _checksum(first, body, end), end)


def _checksum(first: bytes, body: bytes, end: bytes) -> bytes:
    """Sum up all that a block says and stands under: a wrong secret would hide the journal."""
    return b"%x" % zlib.crc32(end, zlib.crc32(body, zlib.crc32(first)))


def _line(key: str, known: Facts | int | None) -> str:
    if isinstance(known, Facts):
        return f"{key}\t{known.at}\t{known.size} {known.crc:x}\n"
    return f"{key}\t{GONE if known is None else known}\t\n"


def parse(data: bytes) -> Manifest:
    """Read a manifest, or raise for one that is newer than this package or damaged."""
    first, newline, rest = data.partition(b"\n")
    words = first.decode(errors="replace").split(" ")
    if len(words) < 2 or words[0] != "wa-file" or not newline:
        raise CorruptRecordError(NAME, "its first line is no manifest's")
    if words[1] != str(FORMAT):
        raise StoreVersionError(words[1], FORMAT)
    covered = Covered()
    bodies: list[bytes] = []
    at = 0
    while (line := _end_line(rest, at)) is not None:
        begin, end = line
        parts = rest[begin:end].split(b"\t")
        body = rest[at:begin]
        if len(parts) != 3 or _checksum(first + newline, body, parts[2]) != parts[1]:
            break
        bodies.append(body)
        covered = Covered(*map(int, parts[2].split()))
        at = end + 1
    if not bodies or (line is not None and _end_line(rest, line[1] + 1) is not None):
        raise CorruptRecordError(NAME, "a block of it that was complete is damaged")
    found = Manifest(Spelling(words[2]), bytes.fromhex(words[3]), covered)
    found.length = len(first) + 1 + at
    _fill(found, b"".join(bodies).decode())
    return found


def _end_line(rest: bytes, begin: int) -> tuple[int, int] | None:
    """Find the next line that begins with a tab: no key does, it ends a block."""
    start = begin
    if not rest.startswith(b"\t", begin):
        before = rest.find(b"\n\t", begin)
        if before < 0:
            return None
        start = before + 1
    end = rest.find(b"\n", start)
    return None if end < 0 else (start, end)


def _fill(found: Manifest, text: str) -> None:
    fields = text.replace("\n", "\t").split("\t")
    keys, positions, sums = fields[0:-1:3], fields[1::3], fields[2::3]
    found.lines = len(keys)
    found.positions = dict(zip(keys, map(int, positions), strict=True))
    found.sums = dict(zip(keys, sums, strict=True))
    if GONE in found.positions.values():
        for key in [key for key, at in found.positions.items() if at == GONE]:
            del found.positions[key], found.sums[key]


class ManifestFile:
    """The manifest on the disk, as its one writer sees it."""

    def __init__(self, disk: Disk, folder: str, *, synced: bool) -> None:
        self._disk = disk
        self._folder = folder
        self._path = f"{folder}/{NAME}"
        self._synced = synced
        self.sound = True
        """Whether all is known to be on the disk that was to be."""
        self._head = b""
        self._handle: int | None = None
        self._length = 0
        self._lines = 0
        self._live = 0

    def go_on(self, manifest: Manifest) -> None:
        """Go on behind what was found in the file; what a crash left unfinished is cut off."""
        self._disk.unlink(f"{self._path}.new")
        self._head = head(manifest.spelling, manifest.secret)
        self._open(manifest.length, manifest.lines, live=len(manifest.positions))

    def begin(self, manifest: Manifest) -> None:
        """Write a new one that holds what `manifest` says."""
        self._head = head(manifest.spelling, manifest.secret)
        facts = [(key, manifest.facts(key) or at) for key, at in manifest.positions.items()]
        data = self._head + block(self._head, facts, manifest.covered)
        temporary = f"{self._path}.new"
        self._disk.unlink(temporary)
        self._disk.create(temporary, data, 0)
        if self._synced:
            self._disk.sync_path(temporary)
        self._disk.rename(temporary, self._path)
        self.sound = False
        if self._synced:
            self._disk.sync_path(self._folder)
        self._open(len(data), len(facts), live=len(facts))
        self.sound = True

    def append(self, facts: dict[str, Facts | None], covered: Covered) -> None:
        """Add a block, synced; rewrite the file when most of it is history."""
        assert self._handle is not None
        data = block(self._head, facts.items(), covered)
        self._disk.write_at(self._handle, data, self._length)
        if self._synced:
            self._sync_or_take_back()
        self._length += len(data)
        self._lines += len(facts)
        if self._lines > 2 * self._live + COMPACT_FROM:
            self.begin(parse(self._disk.read(self._path)))

    def close(self) -> None:
        """Let go of the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

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
