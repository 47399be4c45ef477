"""XEdDSA: signatures by keys that were made for agreement, as Signal writes them.

The signer's Curve25519 key is a point on a curve that maps onto Edwards', where the signature is an
ordinary Ed25519 one. The map loses a sign; the signer leaves it in the signature's highest bit,
which Ed25519 always has clear. Signing needs arithmetic that `cryptography` keeps to itself: see
`wa_core.signal.curve`.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SIGNATURE_SIZE = 64
_PRIME = 2**255 - 19
_SIGN = 0x80


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether the owner of the Curve25519 key `public` signed exactly `message`."""
    if len(public) != 32 or len(signature) != SIGNATURE_SIZE:
        return False
    sign = signature[-1] & _SIGN
    plain = signature[:-1] + bytes([signature[-1] & ~_SIGN])
    point = _edwards(public, sign)
    if point is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(point).verify(plain, message)
    except (InvalidSignature, ValueError):
        # ValueError: no point of the curve has this y.
        return False
    return True


def _edwards(public: bytes, sign: int) -> bytes | None:
    """Map u to y = (u - 1) / (u + 1); the one u that has no y is no key."""
    u = (int.from_bytes(public, "little") & (2**255 - 1)) % _PRIME
    if u == _PRIME - 1:
        return None
    y = (u - 1) * pow(u + 1, -1, _PRIME) % _PRIME
    point = bytearray(y.to_bytes(32, "little"))
    point[-1] |= sign
    return bytes(point)
