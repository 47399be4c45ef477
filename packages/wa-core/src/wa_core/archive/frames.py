"""Frames: the sealed pieces that an archive consists of, and what lies in them.

A frame is its length and AES-256-GCM over a piece of plaintext whose first byte is its kind. The
nonce is the number of the frame, so none can be left out, repeated or put elsewhere; the associated
data is the header's digest, so none fits into another archive.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import asdict, dataclass, fields
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wa_core.errors import DamagedArchiveError, WaError
from wa_core.storage import MAX_KEY_BYTES, MAX_POSITION, Entry, check_key

MAX_VALUE = 64 * 1024 * 1024
TAG_SIZE = 16
LENGTH = struct.Struct(">I")
END_NUMBER = 2**96 - 1
"""The end has a number that no record reaches: it can be opened before the records are counted."""

_RECORD_HEAD = struct.Struct(">BHQ")
_END = struct.Struct(">BQ32s")
_METADATA, _RECORD, _LAST = 1, 2, 3

MAX_FRAME = _RECORD_HEAD.size + MAX_KEY_BYTES + MAX_VALUE + TAG_SIZE
MAX_METADATA = 64 * 1024
END_SIZE = LENGTH.size + _END.size + TAG_SIZE


class FrameCipher:
    """Seals and opens the frames of one archive."""

    def __init__(self, key: bytes, header: bytes) -> None:
        self._aead = AESGCM(key)
        self._header = hashlib.sha256(header).digest()

    def seal(self, number: int, plain: bytes) -> bytes:
        """Make a frame, its length before it."""
        data = self._aead.encrypt(number.to_bytes(12), plain, self._header)
        return LENGTH.pack(len(data)) + data

    def seal_end(self, end: End) -> bytes:
        """Make the last frame."""
        return self.seal(END_NUMBER, end.to_bytes())

    def open(self, number: int, data: bytes) -> bytes:
        """Open a frame, or raise `DamagedArchiveError`."""
        try:
            return self._aead.decrypt(number.to_bytes(12), data, self._header)
        except InvalidTag:
            raise DamagedArchiveError(f"{named(number)} is not as it was written") from None


def named(number: int) -> str:
    """Name a frame in an error."""
    if number == END_NUMBER:
        return "its end"
    return f"record {number}" if number else "its metadata"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What an archive says of itself."""

    session: str = ""
    """The name of the session where it was taken from; empty where the place is the session."""
    source: str = ""
    """The URL it was taken from, without secrets."""
    taken_at: int
    """Microseconds since 1970: no record is newer than that moment."""
    last_state: bool = False
    """The session was held when it was taken and went on from nowhere but here."""
    scope: tuple[str, ...] = ("",)
    """The prefixes of the keys that were meant; the empty one is everything."""
    writer: str = "wa-core"

    def to_bytes(self) -> bytes:
        """Spell the metadata."""
        return bytes([_METADATA]) + json.dumps(asdict(self), ensure_ascii=False).encode()

    @classmethod
    def from_bytes(cls, plain: bytes) -> About:
        """Read the metadata; names it does not know are for later versions."""
        try:
            found = json.loads(_behind(plain, _METADATA))
            known = {field.name: found[field.name] for field in fields(cls) if field.name in found}
            return cls(**{**known, "scope": tuple(known.get("scope", ("",)))})
        except (ValueError, TypeError, RecursionError):
            raise DamagedArchiveError("its metadata cannot be read") from None


def record_of(entry: Entry) -> bytes:
    """Spell a record."""
    key = entry.key.encode()
    return b"".join((_RECORD_HEAD.pack(_RECORD, len(key), entry.at), key, entry.value))


def entry_of(plain: bytes) -> Entry:
    """Read a record."""
    try:
        kind, size, at = _RECORD_HEAD.unpack_from(plain)
        start = _RECORD_HEAD.size + size
        key = plain[_RECORD_HEAD.size : start].decode()
        if kind == _RECORD and start <= len(plain) and at <= MAX_POSITION:
            return Entry(check_key(key), plain[start:], at)
    except (struct.error, UnicodeDecodeError, WaError):
        pass
    raise DamagedArchiveError("a frame that is no record stands among them")


@dataclass(frozen=True, slots=True)
class End:
    """What the last frame says: how many records there are, and the digest of all frames."""

    count: int
    digest: bytes

    def to_bytes(self) -> bytes:
        """Spell it."""
        return _END.pack(_LAST, self.count, self.digest)

    @classmethod
    def from_bytes(cls, plain: bytes) -> End:
        """Read it."""
        if len(plain) != _END.size or plain[0] != _LAST:
            raise DamagedArchiveError("its end cannot be read")
        _, count, digest = _END.unpack(plain)
        return cls(count, digest)


class Sum:
    """The digest over the plaintext of frames, each with its length before it."""

    def __init__(self) -> None:
        self._hash: Any = hashlib.sha256()

    def add(self, plain: bytes) -> None:
        """Take in the next frame."""
        self._hash.update(LENGTH.pack(len(plain)))
        self._hash.update(plain)

    def digest(self) -> bytes:
        """Return what it comes to."""
        found: bytes = self._hash.digest()
        return found


def _behind(plain: bytes, kind: int) -> bytes:
    if plain[:1] != bytes([kind]):
        raise DamagedArchiveError("its frames are in the wrong order")
    return plain[1:]
