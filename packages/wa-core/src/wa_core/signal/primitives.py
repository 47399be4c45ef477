"""python-axolotl's keys, chains and ciphers, from bytes and to bytes."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from wa_core.crypto.keypair import KeyPair
from wa_core.errors import MalformedMessageError, UndecryptableError
from wa_core.signal import _axolotl
from wa_core.signal.keys import clamped, untyped

MAX_SKIPPED = 2000
"""How far ahead of a chain a message may be, on both sides of every implementation."""


_REFUSED = (
    _axolotl.InvalidKeyException,
    _axolotl.InvalidMessageException,
    _axolotl.InvalidVersionException,
    _axolotl.LegacyMessageException,
    _axolotl.DecodeError,
    # What its parsers raise of bytes that are too few.
    IndexError,
)


def parsed(form: Any, data: bytes) -> Any:
    """Read a message of one of axolotl's forms; what is none is `MalformedMessageError`."""
    if data:
        with suppress(*_REFUSED):
            return form(serialized=bytes(data))
    raise MalformedMessageError("the bytes are no message of Signal's protocol")


def ec_public(public: bytes) -> Any:
    """Make axolotl's public key."""
    return _axolotl.DjbECPublicKey(untyped(public))


def ec_pair(pair: KeyPair) -> Any:
    """Make axolotl's key pair."""
    private = _axolotl.DjbECPrivateKey(clamped(pair.private))
    return _axolotl.ECKeyPair(ec_public(pair.public), private)


def root_key(key: bytes) -> Any:
    """Make axolotl's root key."""
    return _axolotl.RootKey(_axolotl.HKDFv3(), key)


def chain_key(key: bytes, index: int) -> Any:
    """Make axolotl's key of a chain that will give number `index` next."""
    return _axolotl.ChainKey(_axolotl.HKDFv3(), key, index)


def seed_of(chain: Any) -> bytes:
    """Compute what the next message key is derived from; axolotl computes it and forgets it."""
    return bytes(chain.getBaseMaterial(_axolotl.ChainKey.MESSAGE_KEY_SEED))


def secrets_of(seed: bytes) -> Any:
    """Derive cipher key, MAC key and initial vector."""
    size = _axolotl.DerivedMessageSecrets.SIZE
    derived = _axolotl.HKDFv3().deriveSecrets(seed, b"WhisperMessageKeys", size)
    return _axolotl.DerivedMessageSecrets(derived)


def unsealed(key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    """Decrypt AES-256-CBC; what has no padding of its kind is `UndecryptableError`."""
    try:
        return bytes(_axolotl.AESCipher(key, iv).decrypt(ciphertext))
    except ValueError:
        raise UndecryptableError("the message has no padding of its cipher") from None
