"""The head of a sealed session: the one record that is not sealed; it holds the data keys, locked.

It is JSON under `wa-seal`. Its first part is for everybody: the format, the session's random id,
how the key-encryption key is derived, which generations of data keys there are. The data keys
themselves are one AES-256-GCM text, to which all of that is bound: no key can be added from an
older head, or taken away, and the newest is always the last. A head with two keys is in rotation.

The name is a single segment, so that no other key lies above it and no cascade takes it along.
"""

from __future__ import annotations

import json
import os
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass, field, replace
from hashlib import sha256
from hmac import compare_digest
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wa_core.crypto.derivation import KEY_SIZE, SALT_SIZE, Cost, Derivation, Secret
from wa_core.errors import CorruptRecordError, StoreVersionError, UsageError, WrongKeyError
from wa_core.seal.record import ID_SIZE, MAX_GENERATION, NONCE_SIZE, DataKey, Ring
from wa_core.storage.position import wall_clock_us

HEAD_KEY = "wa-seal"
VERSION = 1
_INFO = b"wa-seal key-encryption key 1"
_LABEL = b"wa-seal head"
_CHECK_SIZE = 8
_SENSELESS = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading may raise of bytes that anybody may have written."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A key-encryption key, and how its secret becomes it."""

    derivation: Derivation
    key: bytes = field(repr=False)

    @classmethod
    def of(cls, secret: Secret, derivation: Derivation) -> Lock:
        """Derive the key; slow for a passphrase."""
        return cls(derivation, derivation.key(secret, _INFO))

    @classmethod
    def fresh(cls, secret: Secret, cost: Cost) -> Lock:
        """Derive a key that no other head is locked with."""
        return cls.of(secret, Derivation.fresh(secret, os.urandom(SALT_SIZE), cost))

    @property
    def check(self) -> bytes:
        """Return what tells a wrong key from a damaged head."""
        return sha256(_LABEL + self.key).digest()[:_CHECK_SIZE]


@dataclass(frozen=True, slots=True)
class PublicKeyInfo:
    """What everybody may know of a data key."""

    generation: int
    id: bytes
    made_at: int


@dataclass(frozen=True, slots=True)
class Head:
    """What lies in the store."""

    session: bytes
    derivation: Derivation
    check: bytes
    keys: tuple[PublicKeyInfo, ...]
    wrapped: bytes = field(repr=False)

    def open(self, lock: Lock) -> Keys:
        """Unlock the data keys, or raise."""
        if not compare_digest(self.check, lock.check):
            raise WrongKeyError
        nonce, locked = self.wrapped[:NONCE_SIZE], self.wrapped[NONCE_SIZE:]
        try:
            plain = AESGCM(lock.key).decrypt(nonce, locked, _bound(self.session, self.keys))
        except (InvalidTag, ValueError):
            raise CorruptRecordError(HEAD_KEY, "the seal of its keys is broken") from None
        found = [plain[at : at + KEY_SIZE] for at in range(0, len(plain), KEY_SIZE)]
        return Keys(
            self.session,
            tuple(
                DataKey(known.generation, known.id, known.made_at, key)
                for known, key in zip(self.keys, found, strict=True)
            ),
        )

    def to_bytes(self) -> bytes:
        """Spell the head as JSON."""
        cost = self.derivation.cost
        salt = {"salt": self.derivation.salt.hex()}
        scrypt = {} if cost is None else {"n": cost.n, "r": cost.r, "p": cost.p}
        fields = {
            "version": VERSION,
            "session": self.session.hex(),
            "derivation": {"kind": "key" if cost is None else "scrypt", **salt, **scrypt},
            "check": self.check.hex(),
            "keys": [
                {"generation": key.generation, "id": key.id.hex(), "made_at": key.made_at}
                for key in self.keys
            ],
            "wrapped": b64encode(self.wrapped).decode(),
        }
        return json.dumps(fields).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Head:
        """Read a head, or raise: an unreadable one never counts as none [G2, N3]."""
        try:
            found = json.loads(data)
            version = found["version"]
            if isinstance(version, int) and version > VERSION:
                raise StoreVersionError(version, VERSION)
            if version != VERSION:
                raise ValueError
            head = _of_fields(found)
            if head.to_bytes() != data:
                raise ValueError  # there is one way to spell a head
        except _SENSELESS:
            raise CorruptRecordError(HEAD_KEY, "it is no head of a sealed session") from None
        return head


@dataclass(frozen=True, slots=True)
class Keys:
    """An unlocked head: the data keys of a session, oldest first."""

    session: bytes
    keys: tuple[DataKey, ...]

    @classmethod
    def fresh(cls) -> Keys:
        """Begin a session: with an id and a first key that nobody had before."""
        return cls(secrets.token_bytes(ID_SIZE), (_new_key(1),))

    @property
    def generation(self) -> int:
        """The generation that is written."""
        return self.keys[-1].generation

    @property
    def is_rotating(self) -> bool:
        """Whether records of older generations may be left."""
        return len(self.keys) > 1

    def grown(self) -> Keys:
        """Add a key of the next generation."""
        if self.generation >= MAX_GENERATION:
            raise UsageError("this session had all its generations: move it to another store")
        return replace(self, keys=(*self.keys, _new_key(self.generation + 1)))

    def pruned(self) -> Keys:
        """Drop all keys but the newest."""
        return replace(self, keys=self.keys[-1:])

    def ring(self) -> Ring:
        """Make the keys ready for use."""
        return Ring(self.session, self.keys)

    def locked(self, lock: Lock) -> Head:
        """Lock the keys into a head."""
        known = tuple(PublicKeyInfo(key.generation, key.id, key.made_at) for key in self.keys)
        plain = b"".join(key.key for key in self.keys)
        nonce = os.urandom(NONCE_SIZE)
        locked = AESGCM(lock.key).encrypt(nonce, plain, _bound(self.session, known))
        return Head(self.session, lock.derivation, lock.check, known, nonce + locked)


def _new_key(generation: int) -> DataKey:
    made_at, fresh = wall_clock_us(), secrets.token_bytes(KEY_SIZE)
    return DataKey(generation, secrets.token_bytes(ID_SIZE), made_at, fresh)


def _bound(session: bytes, keys: tuple[PublicKeyInfo, ...]) -> bytes:
    rows = (key.generation.to_bytes(4) + key.id + key.made_at.to_bytes(8) for key in keys)
    return _LABEL + bytes([VERSION]) + session + b"".join(rows)


def _of_fields(found: dict[str, Any]) -> Head:
    derived, cost = found["derivation"], None
    if derived["kind"] == "scrypt":
        cost = Cost(n=derived["n"], r=derived["r"], p=derived["p"])
    elif derived["kind"] != "key":
        raise ValueError
    keys = tuple(
        PublicKeyInfo(int(row["generation"]), _exactly(ID_SIZE, row["id"]), int(row["made_at"]))
        for row in found["keys"]
    )
    generations = [key.generation for key in keys]
    if not generations or generations != sorted(set(generations)):
        raise ValueError
    if not 0 < generations[0] <= generations[-1] <= MAX_GENERATION:
        raise ValueError
    if any(not 0 <= key.made_at < 2**63 for key in keys):
        raise ValueError
    return Head(
        session=_exactly(ID_SIZE, found["session"]),
        derivation=Derivation(_exactly(SALT_SIZE, derived["salt"]), cost),
        check=_exactly(_CHECK_SIZE, found["check"]),
        keys=keys,
        wrapped=b64decode(found["wrapped"], validate=True),
    )


def _exactly(size: int, text: str) -> bytes:
    found = bytes.fromhex(text)
    if len(found) != size:
        raise ValueError
    return found
