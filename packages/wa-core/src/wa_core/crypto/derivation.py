"""From what people keep to the key that a store or an archive is locked with.

A secret is 32 random bytes or a passphrase. Both end in HKDF with a salt of the store's own, so one
secret opens many stores and no two of them share a key; a passphrase goes through scrypt before,
which is what makes guessing it slow. `info` tells one use from another.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wa_core.errors import WrongKeyError

KEY_SIZE = 32
SALT_SIZE = 16
_MAX_MEMORY = 256 * 1024 * 1024
_MAX_WORK = 2**26
"""Some minutes on a slow machine: what a forged header may make us do at most."""
_SPARE = 1024 * 1024
"""OpenSSL counts a little more than the formula says."""


@dataclass(frozen=True, slots=True)
class Secret:
    """What somebody keeps: a key of 32 random bytes, or a passphrase."""

    data: bytes = field(repr=False)
    is_passphrase: bool


@dataclass(frozen=True, slots=True)
class Cost:
    """The parameters of scrypt; made from a header they are checked before anything is spent."""

    n: int
    r: int
    p: int

    def __post_init__(self) -> None:
        positive = all(isinstance(each, int) and each > 0 for each in (self.n, self.r, self.p))
        if not positive or self.n < 2 or self.n & (self.n - 1):
            raise ValueError("scrypt takes a power of two and two positive numbers")
        if self.memory > _MAX_MEMORY or self.n * self.r * self.p > _MAX_WORK:
            raise ValueError("these scrypt parameters ask for too much")

    @property
    def memory(self) -> int:
        """The bytes that one derivation needs."""
        return 128 * self.r * (self.n + self.p + 2)


STRONG = Cost(n=2**15, r=8, p=3)
"""Of OWASP's equal choices the one that takes 32 MB: services open sessions by the hundred."""


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a header says that its key is made; `cost` is None where the secret is a key."""

    salt: bytes
    cost: Cost | None

    @classmethod
    def fresh(cls, secret: Secret, salt: bytes, cost: Cost = STRONG) -> Derivation:
        """Choose the derivation that fits a secret."""
        return cls(salt, cost if secret.is_passphrase else None)

    def key(self, secret: Secret, info: bytes) -> bytes:
        """Derive 32 bytes; with scrypt that takes a while, so not on the event loop.

        A passphrase for what a key locked, or the other way round, is a `WrongKeyError`.
        """
        if secret.is_passphrase != (self.cost is not None):
            raise WrongKeyError
        found = secret.data
        if self.cost is not None:
            found = hashlib.scrypt(
                secret.data,
                salt=self.salt,
                n=self.cost.n,
                r=self.cost.r,
                p=self.cost.p,
                maxmem=self.cost.memory + _SPARE,
                dklen=KEY_SIZE,
            )
        return HKDF(algorithm=SHA256(), length=KEY_SIZE, salt=self.salt, info=info).derive(found)
