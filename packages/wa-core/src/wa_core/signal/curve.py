"""Curve25519 as Signal uses it: agreement, and signatures by the same keys (XEdDSA).

Keys are their 32 bytes here; the 0x05 before a public key belongs to records and messages, which
put it on with `typed`. Randomness is an argument, so that a test can say what the dice show.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from wa_core.errors import UsageError
from wa_core.signal import _axolotl

KEY_SIZE = 32
SIGNATURE_SIZE = 64
TYPE = b"\x05"
"""What stands before a public key wherever Signal writes one down."""

Dice = Callable[[int], bytes]
"""Gives that many bytes, like `os.urandom`."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key and its public one, 32 bytes each."""

    private: bytes = field(repr=False)
    public: bytes


def generate_key_pair(dice: Dice = os.urandom) -> KeyPair:
    """Make a key pair."""
    private = bytes(_axolotl.generatePrivateKey(dice(KEY_SIZE)))
    return KeyPair(private, bytes(_axolotl.generatePublicKey(private)))


def agree(private: bytes, public: bytes) -> bytes:
    """Compute the secret that the owners of both keys share.

    A public key of small order, which makes everybody's secret the same zeros, is refused.
    """
    secret = bytes(_axolotl.calculateAgreement(clamped(private), _exact(public)))
    if not any(secret):
        raise UsageError("this public key agrees with every private key on the same secret")
    return secret


def sign(private: bytes, message: bytes, dice: Dice = os.urandom) -> bytes:
    """Sign a message; two signatures of one message differ, and both are good."""
    return bytes(_axolotl.calculateSignature(dice(SIGNATURE_SIZE), clamped(private), message))


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether the owner of `public` signed exactly this message."""
    if len(signature) != SIGNATURE_SIZE:
        return False
    return bool(_axolotl.verifySignature(_exact(public), message, signature) == 0)


def clamped(private: bytes) -> bytes:
    """Set the bits that every X25519 sets before it multiplies: axolotl's C code takes them as set.

    Keys that axolotl, Node or Go made have them set; not so those of some libraries in Rust.
    """
    bits = bytearray(_exact(private))
    bits[0] &= 0b1111_1000
    bits[-1] = bits[-1] & 0b0111_1111 | 0b0100_0000
    return bytes(bits)


def typed(public: bytes) -> bytes:
    """Put the type before a public key, as records and messages have it."""
    return TYPE + _exact(public)


def untyped(public: bytes) -> bytes:
    """Take the type from a public key; one that has none is taken as it is."""
    return public[1:] if len(public) == KEY_SIZE + 1 and public[:1] == TYPE else _exact(public)


def _exact(key: bytes) -> bytes:
    if len(key) != KEY_SIZE:
        raise UsageError(f"a key has {KEY_SIZE} bytes, not {len(key)}")
    return key
