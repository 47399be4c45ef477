"""Curve25519 as Signal uses it: agreement, and signatures by the same keys (XEdDSA).

Keys are their 32 bytes here, without the 0x05 that records and messages put before a public one.
Randomness is an argument, so that a test can say what the dice show.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from wa_core.crypto.keypair import KEY_SIZE, KeyPair
from wa_core.errors import WeakKeyError
from wa_core.signal import _axolotl
from wa_core.signal.keys import clamped, exact

__all__ = ["SIGNATURE_SIZE", "Dice", "KeyPair", "agree", "generate_key_pair", "sign", "verify"]

SIGNATURE_SIZE = 64

Dice = Callable[[int], bytes]
"""Gives that many bytes, like `os.urandom`."""


def generate_key_pair(dice: Dice = os.urandom) -> KeyPair:
    """Make a key pair."""
    private = bytes(_axolotl.generatePrivateKey(dice(KEY_SIZE)))
    return KeyPair(private, bytes(_axolotl.generatePublicKey(private)))


def agree(private: bytes, public: bytes) -> bytes:
    """Compute the secret that the owners of both keys share.

    A public key of small order, which makes everybody's secret the same zeros, is refused.
    """
    secret = bytes(_axolotl.calculateAgreement(clamped(private), exact(public)))
    if not any(secret):
        raise WeakKeyError("this public key agrees with every private key on the same secret")
    return secret


def sign(private: bytes, message: bytes, dice: Dice = os.urandom) -> bytes:
    """Sign a message; two signatures of one message differ, and both are good."""
    return bytes(_axolotl.calculateSignature(dice(SIGNATURE_SIZE), clamped(private), message))


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether the owner of `public` signed exactly this message."""
    if len(signature) != SIGNATURE_SIZE:
        return False
    return bool(_axolotl.verifySignature(exact(public), message, signature) == 0)
