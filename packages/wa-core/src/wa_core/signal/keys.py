"""Keys as records hold them, and what of an account's own keys a step needs; needs no curve.

A private key has 32 bytes. A public one has 32, and a 0x05 before it wherever Signal writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from wa_core.crypto.keypair import KEY_SIZE, KeyPair
from wa_core.errors import UsageError

TYPE = b"\x05"
"""What stands before a public key in records and messages."""
TYPED_SIZE = len(TYPE) + KEY_SIZE


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are to those who write to us."""

    key_pair: KeyPair
    registration_id: int
    signed_pre_keys: Mapping[int, KeyPair]

    @classmethod
    def of_creds(cls, creds: Mapping[str, Any]) -> Self:
        """Read it from credentials as `layouts.loads` gives them."""
        signed = creds["signedPreKey"]
        return cls(
            key_pair_of(creds["signedIdentityKey"]),
            creds["registrationId"],
            {signed["keyId"]: key_pair_of(signed["keyPair"])},
        )


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a server hands out of a device, so that others can write to it first."""

    registration_id: int
    identity_key: bytes
    signed_pre_key_id: int
    signed_pre_key: bytes
    signature: bytes
    pre_key_id: int | None = None
    pre_key: bytes | None = None


def key_pair_of(value: Mapping[str, Any]) -> KeyPair:
    """Read a key pair as Baileys writes it, `{private, public}`."""
    return KeyPair(exact(value["private"]), untyped(value["public"]))


def typed(public: bytes) -> bytes:
    """Put the type before a public key, unless it is there."""
    return TYPE + untyped(public)


def untyped(public: bytes) -> bytes:
    """Take the type from a public key; one that has none is taken as it is."""
    if len(public) == TYPED_SIZE and public[:1] == TYPE:
        return public[1:]
    return exact(public)


def clamped(private: bytes) -> bytes:
    """Set the bits that every X25519 sets before it multiplies: axolotl's C code takes them as set.

    Keys that axolotl, Node or Go made have them set; not so those of some libraries in Rust.
    """
    bits = bytearray(exact(private))
    bits[0] &= 0b1111_1000
    bits[-1] = bits[-1] & 0b0111_1111 | 0b0100_0000
    return bytes(bits)


def exact(key: bytes) -> bytes:
    """Return what has the size of a key, or raise `UsageError`."""
    if len(key) != KEY_SIZE:
        raise UsageError(f"a key has {KEY_SIZE} bytes, not {len(key)}")
    return key
