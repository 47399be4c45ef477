"""A new identity: what a device is before any phone knows it.

The only place that makes one. It is called when somebody asked for it and the store is proven to be
empty; everything else that finds no credentials raises.
"""

from __future__ import annotations

import os
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Protocol

from wa_core.crypto.keypair import KeyPair
from wa_core.state.creds import Creds, SignedPreKey

KEY_TYPE = b"\x05"
"""What stands before a public key that is signed."""

Dice = Callable[[int], bytes]


class Pair(Protocol):
    """A key pair, whoever made it."""

    @property
    def private(self) -> bytes:
        """The secret half."""

    @property
    def public(self) -> bytes:
        """The half for others."""


class Curve(Protocol):
    """Curve25519, with the signatures that Signal makes on it."""

    def generate_key_pair(self) -> Pair:
        """Make a key pair."""

    def sign(self, private: bytes, message: bytes) -> bytes:
        """Sign by a key that was made for agreement."""


def new_identity(
    curve: Curve | None = None,
    *,
    dice: Dice = os.urandom,
    now: Callable[[], float] = time.time,
) -> Creds:
    """Make the credentials of a device that is not linked yet, as Baileys begins them."""
    curve = _axolotl() if curve is None else curve
    identity, pre_key = _pair(curve), _pair(curve)
    return Creds(
        noise_key=_pair(curve),
        pairing_ephemeral_key_pair=_pair(curve),
        signed_identity_key=identity,
        signed_pre_key=SignedPreKey(
            key_pair=pre_key,
            signature=curve.sign(identity.private, KEY_TYPE + pre_key.public),
            key_id=1,
            timestamp_s=int(now()),
        ),
        registration_id=int.from_bytes(dice(2), "big") & 0x3FFF,
        adv_secret_key=b64encode(dice(32)).decode(),
        next_pre_key_id=1,
        first_unuploaded_pre_key_id=1,
    )


def generate_key_pair() -> KeyPair:
    """Make one key pair with the extra `signal`."""
    return _pair(_axolotl())


def _pair(curve: Curve) -> KeyPair:
    made = curve.generate_key_pair()
    return KeyPair(made.private, made.public)


class _Axolotl:
    """The curve of the extra, as the role that is needed here."""

    def __init__(self) -> None:
        # Here alone: a state opens, and is validated, also where the extra is not installed.
        from wa_core.signal import curve

        self.generate_key_pair = curve.generate_key_pair
        self.sign = curve.sign


def _axolotl() -> Curve:
    return _Axolotl()
