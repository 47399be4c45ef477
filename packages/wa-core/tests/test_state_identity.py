"""A new identity: what Baileys would begin with, and signed so that a verifier agrees."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64decode

import pytest
from state_bench.identities import NOW, some_creds
from wa_core.crypto import xeddsa
from wa_core.state import Creds, new_identity

WITHOUT_SIGNAL = """
import sys
for name in ("axolotl", "axolotl_curve25519", "google.protobuf"):
    sys.modules[name] = None
"""


def test_it_has_the_fields_that_baileys_begins_with() -> None:
    creds = some_creds()

    document = json.loads(creds.to_bytes())

    assert list(document) == [
        "noiseKey",
        "pairingEphemeralKeyPair",
        "signedIdentityKey",
        "signedPreKey",
        "registrationId",
        "advSecretKey",
        "processedHistoryMessages",
        "nextPreKeyId",
        "firstUnuploadedPreKeyId",
        "accountSyncCounter",
        "accountSettings",
        "registered",
    ]
    assert document["accountSettings"] == {"unarchiveChats": False}
    assert (document["nextPreKeyId"], document["firstUnuploadedPreKeyId"]) == (1, 1)
    assert (document["accountSyncCounter"], document["registered"]) == (0, False)
    assert list(document["noiseKey"]) == ["private", "public"]
    assert document["signedPreKey"]["timestampS"] == int(NOW)
    assert Creds.from_bytes(creds.to_bytes()) == creds


@pytest.mark.parametrize(("rolled", "number"), [(b"\xff\xff", 16383), (b"\xc0\x00", 0)])
def test_the_registration_number_has_fourteen_bits(rolled: bytes, number: int) -> None:
    creds = new_identity(dice=lambda size: (rolled * size)[:size])

    assert creds.registration_id == number
    assert len(b64decode(creds.adv_secret_key)) == 32


def test_its_pre_key_is_signed_by_its_identity() -> None:
    creds = new_identity()

    key = creds.signed_pre_key
    message = b"\x05" + key.key_pair.public
    assert xeddsa.verify(creds.signed_identity_key.public, message, key.signature)
    assert not xeddsa.verify(creds.noise_key.public, message, key.signature)


def test_two_identities_have_nothing_in_common() -> None:
    one, other = new_identity(), new_identity()

    pairs = [
        (c.noise_key, c.pairing_ephemeral_key_pair, c.signed_identity_key) for c in (one, other)
    ]
    assert len({pair.private for pairs_of_one in pairs for pair in pairs_of_one if pair}) == 6
    assert one.adv_secret_key != other.adv_secret_key


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_SIGNAL + code], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_state_opens_and_is_validated_without_the_extra() -> None:
    creds = some_creds().to_bytes()

    shown = run(f"""
import asyncio
from wa_core.state import AuthState, validate
from wa_core.storage import MemoryEngine
async def main():
    engine = MemoryEngine()
    await engine.set("session/creds", {creds!r})
    async with await AuthState.open(engine) as state:
        print((await validate(state)).of("identity key")[0].severity)
asyncio.run(main())
""")

    assert shown.strip() == "ok"


def test_beginning_one_without_the_extra_says_what_to_install() -> None:
    shown = run("""
from wa_core.errors import MissingExtraError
from wa_core.state import new_identity
try:
    new_identity()
except MissingExtraError as exc:
    print(exc)
""")

    assert "wa-core[signal]" in shown
