"""A pair of Curve25519 keys, which never shows its private half."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

KEY_SIZE = 32


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Both halves, 32 bytes each, without the type byte 0x05 that Signal puts before a public."""

    private: bytes = field(repr=False)
    public: bytes = field(repr=False)

    def is_matched(self) -> bool:
        """Tell whether the public key is the one that belongs to the private key."""
        private = X25519PrivateKey.from_private_bytes(self.private)
        return private.public_key().public_bytes_raw() == self.public
