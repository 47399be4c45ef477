"""The first 72 bytes of an archive: what it is, and how its keys are made.

Everything is derived with a salt of this file's own, so that no two archives share a key, and the
frames can be numbered from zero. The MAC at the end tells a wrong key before anything is opened.
`docs/archive-format.md` says it byte by byte.
"""

from __future__ import annotations

import hmac
import secrets
import struct
from dataclasses import dataclass, field
from typing import Self

from wa_core.crypto.derivation import SALT_SIZE, STRONG, Cost, Derivation, Secret
from wa_core.errors import DamagedArchiveError, NoArchiveError, StoreVersionError, WrongKeyError

MAGIC = b"\x8bWA-ARC\n"
VERSION = 1
_FIELDS = struct.Struct(f">8sHBxIII{SALT_SIZE}s")
_MAC_SIZE = 32
HEADER_SIZE = _FIELDS.size + _MAC_SIZE
_KEY, _PASSPHRASE = 0, 1
_INFO = b"wa archive 1"


@dataclass(frozen=True, slots=True)
class Unlocked:
    """A header whose MAC is right, and the key of the frames behind it."""

    data: bytes
    frame_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Header:
    """How the keys of one archive are made from a secret."""

    derivation: Derivation
    mac: bytes = b""

    @classmethod
    def fresh(cls, secret: Secret, cost: Cost = STRONG) -> Self:
        """Make the header of a new archive."""
        return cls(Derivation.fresh(secret, secrets.token_bytes(SALT_SIZE), cost))

    @classmethod
    def from_bytes(cls, data: bytes, path: str) -> Self:
        """Read a header, or say what the file is instead."""
        if not data.startswith(MAGIC):
            raise NoArchiveError(path)
        if len(data) < HEADER_SIZE:
            raise DamagedArchiveError("it ends within its header")
        _, version, way, n, r, p, salt = _FIELDS.unpack_from(data)
        if version > VERSION:
            raise StoreVersionError(version, VERSION)
        if version < 1 or data[11] or way not in (_KEY, _PASSPHRASE):
            raise DamagedArchiveError("its header says what no archive says")
        return cls(Derivation(salt, _cost(way, n, r, p)), data[_FIELDS.size : HEADER_SIZE])

    def begin(self, secret: Secret) -> Unlocked:
        """Derive the keys and write the header; scrypt takes a while."""
        mac_key, frame_key = self._keys(secret)
        bare = self._bare()
        return Unlocked(bare + hmac.digest(mac_key, bare, "sha256"), frame_key)

    def unlock(self, secret: Secret) -> Unlocked:
        """Derive the keys, or raise `WrongKeyError`; scrypt takes a while."""
        found = self.begin(secret)
        if not hmac.compare_digest(found.data[_FIELDS.size :], self.mac):
            raise WrongKeyError
        return found

    def _keys(self, secret: Secret) -> tuple[bytes, bytes]:
        master = self.derivation.key(secret, _INFO)
        return hmac.digest(master, b"header", "sha256"), hmac.digest(master, b"frames", "sha256")

    def _bare(self) -> bytes:
        cost = self.derivation.cost
        way, numbers = (
            (_KEY, (0, 0, 0)) if cost is None else (_PASSPHRASE, (cost.n, cost.r, cost.p))
        )
        return _FIELDS.pack(MAGIC, VERSION, way, *numbers, self.derivation.salt)


def _cost(way: int, n: int, r: int, p: int) -> Cost | None:
    if way == _KEY:
        if n or r or p:
            raise DamagedArchiveError("its header says what no archive says")
        return None
    try:
        return Cost(n, r, p)
    except ValueError as exc:
        raise DamagedArchiveError(f"its header: {exc}") from None
