"""Signatures by agreement keys: what Signal's own code signs is good, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wa_core.crypto import xeddsa
from wa_core.signal import curve

PAIR = curve.generate_key_pair(lambda size: b"\x2a" * size)
MESSAGE = b"\x05" + b"m" * 32


@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=200))
def test_what_axolotl_signs_is_good(seed: bytes, message: bytes) -> None:
    pair = curve.generate_key_pair(lambda size: seed)

    signature = curve.sign(pair.private, message)

    assert xeddsa.verify(pair.public, message, signature)


def test_no_bit_of_a_signature_can_be_turned() -> None:
    signature = curve.sign(PAIR.private, MESSAGE)

    for bit in range(8 * len(signature)):
        turned = bytearray(signature)
        turned[bit // 8] ^= 1 << bit % 8
        assert not xeddsa.verify(PAIR.public, MESSAGE, bytes(turned)), bit


@pytest.mark.parametrize("position", range(0, 33, 4))
def test_no_other_message_is_signed(position: int) -> None:
    signature = curve.sign(PAIR.private, MESSAGE)
    other = bytearray(MESSAGE)
    other[position] ^= 0x10

    assert not xeddsa.verify(PAIR.public, bytes(other), signature)


@pytest.mark.parametrize(
    "public",
    [
        b"",
        b"\x05" + PAIR.public,
        bytes(32),
        b"\xff" * 32,
        (2**255 - 20).to_bytes(32, "little"),
        b"\x02" + bytes(31),
    ],
)
def test_what_is_no_key_has_signed_nothing(public: bytes) -> None:
    signature = curve.sign(PAIR.private, MESSAGE)

    assert not xeddsa.verify(public, MESSAGE, signature)


@pytest.mark.parametrize("signature", [b"", b"s" * 63, b"s" * 65, bytes(64), b"\xff" * 64])
def test_what_is_no_signature_is_refused(signature: bytes) -> None:
    assert not xeddsa.verify(PAIR.public, MESSAGE, signature)
