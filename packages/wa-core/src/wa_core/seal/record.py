"""One sealed record, to the byte, and the data keys that seal and open it.

    offset  size
    0       1     format, 1
    1       4     generation, big-endian: which data key
    5       12    nonce, random
    17      n     the value, AES-256-GCM
    17 + n  16    tag

The associated data is `wa-seal`, the format, the session's id, the key's id, the generation and the
record's name, all but the last of fixed length. So a record is readable under one name of one
session, by one key; anywhere else, and changed in any bit, it is damaged.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wa_core.errors import CorruptRecordError

FORMAT = 1
ID_SIZE = 16
NONCE_SIZE = 12
TAG_SIZE = 16
MAX_GENERATION = 2**32 - 1
_START = struct.Struct(">BI")
_BODY = _START.size + NONCE_SIZE
OVERHEAD = _BODY + TAG_SIZE
"""The bytes that a sealed record has more than its value."""
_LABEL = b"wa-seal"
_SCRATCH = 8192
"""Most records of a session fit; what is larger costs one more copy."""
_INTO_PLACE = hasattr(AESGCM, "encrypt_into")
"""Since cryptography 47; before, everything costs one more copy."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """A key that records are sealed with; each generation has one."""

    generation: int
    id: bytes
    made_at: int
    """In microseconds since 1970."""
    key: bytes = field(repr=False)


class Ring:
    """The data keys of a session, ready for use: the last seals, all of them open."""

    __slots__ = ("_bound", "_cipher", "_newest", "_openers", "_scratch", "_start", "_view")

    def __init__(self, session: bytes, keys: Sequence[DataKey]) -> None:
        self._openers = {_start_of(key): (AESGCM(key.key), _bound(session, key)) for key in keys}
        self._newest = keys[-1].generation
        self._start = _start_of(keys[-1])
        self._cipher, self._bound = self._openers[self._start]
        self._scratch = bytearray(_SCRATCH)
        self._view = memoryview(self._scratch)
        self._scratch[: _START.size] = self._start

    def seal(self, name: str, value: bytes) -> bytes:
        """Seal a value under its name; this makes one copy of it, the sealed one."""
        nonce = os.urandom(NONCE_SIZE)
        bound = self._bound + name.encode()
        end = OVERHEAD + len(value)
        if end > _SCRATCH or not _INTO_PLACE:
            return b"".join((self._start, nonce, self._cipher.encrypt(nonce, value, bound)))
        self._scratch[_START.size : _BODY] = nonce
        self._cipher.encrypt_into(nonce, value, bound, self._view[_BODY:end])
        return bytes(self._view[:end])

    def unseal(self, name: str, sealed: bytes) -> bytes:
        """Open a record, or raise `CorruptRecordError`: nothing else comes out of it [G2]."""
        opener = self._openers.get(sealed[: _START.size])
        if opener is None:
            raise CorruptRecordError(name, "it was not sealed with a key of this session")
        cipher, bound = opener
        nonce = sealed[_START.size : _BODY]
        try:
            return cipher.decrypt(nonce, memoryview(sealed)[_BODY:], bound + name.encode())
        except (InvalidTag, ValueError):
            # ValueError: too short to have a nonce.
            raise CorruptRecordError(name, "its seal is broken") from None

    def is_current(self, sealed: bytes) -> bool:
        """Tell whether a record says that the newest key sealed it."""
        return sealed.startswith(self._start)

    def is_behind_any(self, records: Iterable[bytes]) -> bool:
        """Tell whether one of the records has a newer seal than this ring knows."""
        for sealed in records:
            # Nearly all have the newest, and this is asked of every record that is read.
            if not sealed.startswith(self._start) and self.is_behind(sealed):
                return True
        return False

    def is_behind(self, sealed: bytes) -> bool:
        """Tell whether a record says that a newer key sealed it than this ring knows."""
        if sealed[: _START.size] in self._openers or len(sealed) < OVERHEAD:
            return False
        form, generation = _START.unpack_from(sealed)
        return bool(form == FORMAT and generation > self._newest)


def _start_of(key: DataKey) -> bytes:
    return _START.pack(FORMAT, key.generation)


def _bound(session: bytes, key: DataKey) -> bytes:
    return _LABEL + bytes([FORMAT]) + session + key.id + key.generation.to_bytes(4)
