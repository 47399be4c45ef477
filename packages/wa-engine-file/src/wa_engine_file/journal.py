"""The journal: where a change becomes true, in one write [W1, W2].

The idea: two segment files take turns. Each commit is one frame, written and synced at the end of
the active segment; when that is full the other one begins anew, after all that it held was synced
in the folder. A frame proves itself by its checksum and its place by its sequence number; the seal
of its generation, made with the store's secret, keeps what a value may hold from posing as one.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wa_core.errors import CorruptRecordError

from wa_engine_file.change import Change, Facts, Record
from wa_engine_file.disk import Disk
from wa_engine_file.segments import Source

SEGMENTS = ("journal.0", "journal.1")
_MAGIC = b"WAF1"
_HEADER = struct.Struct("<4sIQ8sQQ")
HEADER_BYTES = _HEADER.size
_PAYLOAD = struct.Struct("<QQII")
_NAME = struct.Struct("<H")
_RECORD = struct.Struct("<HQIQQ")
_FIRST_ROOM = 64 * 1024
_MOST_ROOM = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Frame:
    """One commit as it was found in a segment."""

    generation: int
    seq: int
    payload: bytes
    end: int
    """The offset behind it."""

    @property
    def change(self) -> Change:
        """What it says."""
        return _decoded(self.payload)


class FrameCodec:
    """Writes and reads the frames of one store."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def encode(self, change: Change, *, generation: int, seq: int) -> bytes:
        """Write a change as one frame."""
        payload = _encoded(change)
        seal = self._seal(generation)
        bare = _HEADER.pack(_MAGIC, 0, generation, seal, seq, len(payload))
        crc = zlib.crc32(payload, zlib.crc32(bare))
        return _HEADER.pack(_MAGIC, crc, generation, seal, seq, len(payload)) + payload

    def frame_at(self, data: Source, offset: int) -> Frame | None:
        """Read the frame at `offset`, or return None when there is no whole, valid one."""
        if offset + _HEADER.size > len(data):
            return None
        magic, crc, generation, seal, seq, length = _HEADER.unpack(
            data[offset : offset + HEADER_BYTES]
        )
        begin, end = offset + _HEADER.size, offset + _HEADER.size + length
        if magic != _MAGIC or end > len(data) or seal != self._seal(generation):
            return None
        payload = data[begin:end]
        bare = _HEADER.pack(_MAGIC, 0, generation, seal, seq, length)
        if zlib.crc32(payload, zlib.crc32(bare)) != crc:
            return None
        return Frame(generation, seq, payload, end)

    def header(self, data: bytes) -> tuple[int, int]:
        """Read the sequence number and whole length from a frame's head; (0, 0) for none."""
        if len(data) < _HEADER.size:
            return 0, 0
        magic, _, generation, seal, seq, length = _HEADER.unpack_from(data)
        if magic != _MAGIC or seal != self._seal(generation):
            return 0, 0
        return seq, _HEADER.size + length

    def frames(self, data: Source, after: int = 0) -> Iterator[Frame]:
        """Read the frames behind `after` up to the end of a segment's newest generation."""
        at = 0
        seq, length = self.header(data[:HEADER_BYTES])
        while 0 < seq <= after:
            at, before = at + length, seq
            seq, length = self.header(data[at : at + HEADER_BYTES])
            if seq != before + 1:
                return
        while (frame := self.frame_at(data, at)) is not None and frame.seq == seq:
            yield frame
            at, seq = frame.end, seq + 1

    def frames_after(self, segments: Sequence[Source], seq: int) -> list[Frame]:
        """Collect the frames behind `seq` in order, or raise when one of them must be missing."""
        found = [frame for data in segments for frame in self.frames(data, seq)]
        found.sort(key=lambda frame: frame.seq)
        for frame, expected in zip(found, range(seq + 1, seq + 1 + len(found)), strict=True):
            if frame.seq != expected:
                raise CorruptRecordError("journal", f"commit {expected} is missing from it")
        last = found[-1].seq if found else seq
        for data in segments:
            for stray in self._behind(data, last):
                reason = f"commit {last + 1} is unreadable, commit {stray} is behind it"
                raise CorruptRecordError("journal", reason)
        return found

    def _behind(self, data: Source, seq: int) -> Iterator[int]:
        """Find frames behind `seq` at any offset: they tell damage from an unfinished end."""
        at = data.find(_MAGIC, 0)
        while at >= 0:
            found, length = self.header(data[at : at + HEADER_BYTES])
            if found > seq and self.frame_at(data, at) is not None:
                yield found
            # Only what is covered may be skipped whole: a damaged length would skip the proof.
            at = data.find(_MAGIC, at + (length if 0 < found <= seq else 1))

    def _seal(self, generation: int) -> bytes:
        number = generation.to_bytes(8, "little")
        return hashlib.blake2b(number, key=self._secret, digest_size=8).digest()


class SegmentWriter:
    """Writes frames to one segment file, over what an older generation left there."""

    def __init__(
        self, disk: Disk, path: str, codec: FrameCodec, *, generation: int, synced: bool
    ) -> None:
        self._disk = disk
        self._codec = codec
        self._synced = synced
        self.path = path
        self.generation = generation
        self.offset = 0
        self.sound = True
        self._handle = disk.open_log(path)
        try:
            self._size = os.fstat(self._handle).st_size
            if synced:
                # Also an old file's name: an earlier run at a weaker durability synced nothing.
                disk.sync_path(os.path.dirname(path))
        except BaseException:
            self.close()
            raise

    def append(self, change: Change, seq: int) -> None:
        """Write one frame where the last one ended; a failed try leaves no trace that counts."""
        frame = self._codec.encode(change, generation=self.generation, seq=seq)
        end = self.offset + len(frame)
        if end > self._size:
            self._make_room(end)
        self._disk.write_at(self._handle, frame, self.offset)
        if self._synced:
            self.sound = False
            self._disk.sync_log(self._handle)
            self.sound = True
        self.offset = end

    def close(self) -> None:
        """Let go of the file; closing twice is no error."""
        if self._handle >= 0:
            os.close(self._handle)
            # The number may soon be another file's, where a late write would do harm.
            self._handle = -1

    def _make_room(self, end: int) -> None:
        """Fill ahead with zeros: syncing an overwrite needs no change to the file's metadata."""
        room = min(max(self._size, _FIRST_ROOM), _MOST_ROOM)
        target = max(end, self._size + room)
        self._disk.write_at(self._handle, bytes(target - self._size), self._size)
        self._size = target


def _encoded(change: Change) -> bytes:
    parts = [_PAYLOAD.pack(change.last, change.epoch, len(change.removed), len(change.records))]
    for key in change.removed:
        name = key.encode()
        parts += (_NAME.pack(len(name)), name)
    for key, record in change.records.items():
        name, facts = key.encode(), record.facts
        head = _RECORD.pack(len(name), facts.at, facts.crc, facts.size, len(record.value))
        parts += (head, name, record.value)
    return b"".join(parts)


def _decoded(payload: bytes) -> Change:
    last, epoch, gone, kept = _PAYLOAD.unpack_from(payload)
    change = Change(last=last, epoch=epoch)
    at = _PAYLOAD.size
    for _ in range(gone):
        (length,) = _NAME.unpack_from(payload, at)
        at += _NAME.size
        change.removed.append(payload[at : at + length].decode())
        at += length
    for _ in range(kept):
        length, position, crc, size, held = _RECORD.unpack_from(payload, at)
        at += _RECORD.size
        key = payload[at : at + length].decode()
        at += length
        change.records[key] = Record(payload[at : at + held], Facts(position, size, crc))
        at += held
    return change
