"""Curve25519 with known answers, and what no key may do."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wa_core.errors import MissingExtraError, UsageError, WeakKeyError
from wa_core.signal.curve import KeyPair, agree, generate_key_pair, sign, verify
from wa_core.signal.keys import typed, untyped


def rolled(number: int) -> KeyPair:
    return generate_key_pair(lambda size: bytes([number]) * size)


def test_agreement_gives_the_secret_of_the_rfc() -> None:
    # RFC 7748, section 6.1; its private keys have bits that a multiplication must set or clear.
    alice = bytes.fromhex("77076d0a7318a57d3c16c17251b26645" + "df4c2f87ebc0992ab177fba51db92c2a")
    bob = bytes.fromhex("de9edb7d7b7dc1b4d35b61c2ece43537" + "3f8343c85b78674dadfc7e146f882b4f")

    secret = agree(alice, bob)

    assert secret.hex() == "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"


def test_both_owners_agree_on_one_secret() -> None:
    ours, theirs = rolled(1), rolled(2)

    assert agree(ours.private, theirs.public) == agree(theirs.private, ours.public)


@given(message=st.binary(max_size=200), flipped=st.integers(0, 511))
def test_a_signature_is_good_for_its_message_alone(message: bytes, flipped: int) -> None:
    pair = rolled(3)
    signature = sign(pair.private, message)

    damaged = bytearray(signature)
    damaged[flipped // 8] ^= 1 << flipped % 8

    assert verify(pair.public, message, signature)
    assert not verify(pair.public, message + b"!", signature)
    assert not verify(rolled(4).public, message, signature)
    assert not verify(pair.public, message, bytes(damaged))


def test_what_is_no_signature_by_its_length_verifies_nothing() -> None:
    assert not verify(rolled(5).public, b"message", b"short")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_length_is_refused_before_it_is_used(size: int) -> None:
    pair = rolled(6)

    for call in (
        lambda: agree(bytes(size), pair.public),
        lambda: agree(pair.private, bytes(size)),
        lambda: sign(bytes(size), b""),
        lambda: verify(bytes(size), b"", bytes(64)),
        lambda: typed(bytes(size)),
    ):
        with pytest.raises(UsageError, match="32 bytes"):
            call()


def test_a_public_key_that_agrees_with_everybody_is_refused() -> None:
    with pytest.raises(WeakKeyError, match="every private key"):
        agree(rolled(7).private, bytes(32))


def test_the_dice_decide_keys_and_signatures() -> None:
    def dice(size: int) -> bytes:
        return b"\x2a" * size

    assert generate_key_pair(dice) == generate_key_pair(dice) != generate_key_pair()
    assert sign(rolled(8).private, b"m", dice) == sign(rolled(8).private, b"m", dice)


def test_a_private_key_without_its_bits_set_signs_for_the_same_public_key() -> None:
    raw = bytes(range(1, 33))
    public = generate_key_pair(lambda _: raw).public

    assert verify(public, b"message", sign(raw, b"message"))
    assert agree(raw, rolled(11).public) == agree(rolled(11).private, public)


def test_the_type_goes_on_and_off() -> None:
    public = rolled(9).public

    assert typed(public) == b"\x05" + public
    assert untyped(typed(public)) == untyped(public) == public
    assert typed(typed(public)) == typed(public)


def test_no_private_key_is_shown() -> None:
    pair = rolled(10)

    assert repr(pair.private) not in repr(pair)
    assert pair.private.hex() not in repr(pair)


WITHOUT = """
import sys
for name in ("axolotl", "axolotl_curve25519", "google.protobuf"):
    sys.modules[name] = None
import wa_core, wa_core.storage, wa_core.signal
try:
    import wa_core.signal.curve
except Exception as exc:
    print(type(exc).__name__, exc)
"""


def test_without_the_extra_the_curve_says_what_to_install() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True
    )

    assert done.stdout.startswith(MissingExtraError.__name__)
    assert "pip install 'wa-core[signal]'" in done.stdout
