"""Identities for tests that are not about signatures, made by `cryptography` alone."""

from __future__ import annotations

from itertools import count
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from wa_core.state import Creds, KeyPair, new_identity

NOW = 1_700_000_000.0


class PlainCurve:
    """Real key pairs from counted seeds, and no signatures."""

    def __init__(self) -> None:
        self._seeds = count(1)

    def generate_key_pair(self) -> KeyPair:
        seed = next(self._seeds).to_bytes(32, "big")
        private = X25519PrivateKey.from_private_bytes(seed)
        return KeyPair(private.private_bytes_raw(), private.public_key().public_bytes_raw())

    def sign(self, private: bytes, message: bytes) -> bytes:
        return bytes(64)


def some_creds() -> Creds:
    """Make the same identity each time."""
    return new_identity(PlainCurve(), dice=lambda size: b"\x07" * size, now=lambda: NOW)


def numbered_pairs() -> Any:
    """Make pairs that cost nothing and differ: for thousands of pre-keys."""
    numbers = count(1)

    def generate() -> KeyPair:
        number = next(numbers)
        return KeyPair(number.to_bytes(32, "big"), number.to_bytes(32, "little"))

    return generate
