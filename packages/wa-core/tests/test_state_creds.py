"""Credentials: read in every form that is out there, written back as they were, and never shown."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from state_bench.identities import PlainCurve, some_creds
from wa_core.errors import CorruptRecordError
from wa_core.state import Account, Creds, KeyPair, Me

PHONE = "5491112345678"
SECRET = bytes(range(100, 132))


def buffer(value: bytes) -> dict[str, str]:
    return {"type": "Buffer", "data": b64encode(value).decode()}


def bare(value: bytes) -> str:
    return b64encode(value).decode()


def pair(seed: int) -> dict[str, Any]:
    made = PlainCurve().generate_key_pair()
    return {"private": buffer(bytes([seed]) * 32), "public": buffer(made.public)}


def linked(**changes: Any) -> dict[str, Any]:
    """Spell the credentials of a linked device as Baileys' own JSON has them."""
    document = {
        "noiseKey": pair(1),
        "pairingEphemeralKeyPair": pair(2),
        "signedIdentityKey": pair(3),
        "signedPreKey": {"keyPair": pair(4), "signature": buffer(b"s" * 64), "keyId": 1},
        "registrationId": 73,
        "advSecretKey": bare(SECRET),
        "processedHistoryMessages": [
            {"key": {"remoteJid": f"{PHONE}@s.whatsapp.net", "fromMe": True}, "messageTimestamp": 1}
        ],
        "nextPreKeyId": 813,
        "firstUnuploadedPreKeyId": 813,
        "accountSyncCounter": 1,
        "accountSettings": {"unarchiveChats": False},
        "registered": False,
        "account": {
            "details": bare(b"details"),
            "accountSignatureKey": bare(b"k" * 32),
            "accountSignature": bare(b"a" * 64),
            "deviceSignature": bare(b"d" * 64),
        },
        "me": {"id": f"{PHONE}:1@s.whatsapp.net", "lid": "100000000000001:1@lid", "name": "Ana"},
        "signalIdentities": [
            {
                "identifier": {"name": "100000000000001:1@lid", "deviceId": 0},
                "identifierKey": buffer(b"\x05" + b"i" * 32),
            }
        ],
        "platform": "android",
        "routingInfo": buffer(b"\x08\x02"),
        "lastAccountSyncTimestamp": 1_795_259_391,
        "myAppStateKeyId": "AABSPmtu",
    }
    return document | changes


def read(document: dict[str, Any]) -> Creds:
    return Creds.from_bytes(json.dumps(document).encode())


def written(creds: Creds) -> Any:
    return json.loads(creds.to_bytes())


def test_what_baileys_wrote_is_typed() -> None:
    creds = read(linked())

    assert creds.is_linked
    assert creds.me == Me(id=f"{PHONE}:1@s.whatsapp.net", lid="100000000000001:1@lid", name="Ana")
    assert creds.account is not None
    assert creds.account.details == b"details"
    assert creds.signed_pre_key.key_pair.private == bytes([4]) * 32
    assert creds.signed_pre_key.timestamp_s is None
    assert (creds.registration_id, creds.next_pre_key_id) == (73, 813)
    assert creds.routing_info == b"\x08\x02"


def test_what_was_not_changed_is_written_as_it_was() -> None:
    document = linked(
        fromTheFuture={"deep": [1, None, buffer(b"x")]},
        lastPropHash=None,
        me={"id": f"{PHONE}:1@s.whatsapp.net", "verifiedName": "Ana's", "imgUrl": None},
        accountSettings={"unarchiveChats": True, "defaultDisappearingMode": {"expiration": 7}},
    )

    assert written(read(document)) == document


def test_the_account_keeps_either_form_of_its_bytes() -> None:
    account = {"details": buffer(b"details"), "accountSignatureKey": bare(b"k" * 32)}
    creds = read(linked(account=account))
    assert creds.account is not None

    changed = replace(
        creds,
        account=replace(creds.account, details=b"other", device_signature=b"d" * 64),
    )

    assert written(creds)["account"] == account
    assert written(changed)["account"] == {
        "details": buffer(b"other"),
        "accountSignatureKey": bare(b"k" * 32),
        "deviceSignature": bare(b"d" * 64),
    }


def test_a_change_touches_its_field_alone() -> None:
    document = linked(additionalData={"ours": 1})
    creds = read(document)
    assert creds.me is not None

    changed = replace(creds, platform=None, next_pre_key_id=900, me=replace(creds.me, name="Eva"))

    expected = document | {"nextPreKeyId": 900, "me": document["me"] | {"name": "Eva"}}
    del expected["platform"]
    assert written(changed) == expected


def test_a_public_key_may_have_its_type_before_it() -> None:
    public = b"\x05" + b"p" * 32
    document = linked(noiseKey={"private": buffer(b"n" * 32), "public": buffer(public)})

    creds = read(document)

    assert creds.noise_key == KeyPair(b"n" * 32, b"p" * 32)
    assert written(creds) == document


def test_what_older_versions_leave_out_has_its_default() -> None:
    document = linked()
    for name in ("processedHistoryMessages", "accountSettings", "registered", "account", "me"):
        del document[name]

    creds = read(document)

    assert not creds.is_linked
    assert creds.processed_history_messages == ()
    assert not creds.account_settings.unarchive_chats


@pytest.mark.parametrize(
    "name",
    [
        "noiseKey",
        "signedIdentityKey",
        "signedPreKey",
        "registrationId",
        "advSecretKey",
        "nextPreKeyId",
        "firstUnuploadedPreKeyId",
    ],
)
@pytest.mark.parametrize("value", [None, "x", True, [], {"private": buffer(b"short")}])
def test_credentials_that_no_session_can_live_on_are_damaged(name: str, value: Any) -> None:
    if name == "advSecretKey" and value == "x":
        value = 7

    with pytest.raises(CorruptRecordError, match=name) as caught:
        read(linked(**{name: value}))

    assert caught.value.key == "session/creds"


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"{}", b'"creds"', b"\xff", b"\0" * 64])
def test_bytes_that_are_no_credentials_are_damaged(data: bytes) -> None:
    with pytest.raises(CorruptRecordError):
        Creds.from_bytes(data)


def test_credentials_cut_anywhere_are_damaged() -> None:
    whole = json.dumps(linked()).encode()

    for length in range(len(whole)):
        with pytest.raises(CorruptRecordError):
            Creds.from_bytes(whole[:length])


def secrets(value: Any) -> list[bytes]:
    """Every buffer below a value, and the text of its secrets."""
    if isinstance(value, dict):
        if value.get("type") == "Buffer":
            return [value["data"].encode()]
        return [found for part in value.values() for found in secrets(part)]
    if isinstance(value, list):
        return [found for part in value for found in secrets(part)]
    return [value.encode()] if isinstance(value, str) and len(value) > 20 else []


def test_nothing_secret_is_shown() -> None:
    creds = read(linked(pairingCode="ABCD1234", additionalData={"key": bare(SECRET)}))
    parts = [creds.noise_key, creds.signed_pre_key, creds.account, creds.me, creds.account_settings]

    shown = " ".join(map(repr, [creds, *parts, creds.signal_identities]))

    for secret in [*secrets(linked()), b"ABCD1234", PHONE.encode(), b"100000000000001"]:
        assert secret.decode() not in shown
    for raw in (bytes([1]) * 32, SECRET, b"k" * 32):
        assert repr(raw)[2:-1] not in shown
        assert raw.hex() not in shown


def test_an_error_names_the_place_and_not_the_value() -> None:
    with pytest.raises(CorruptRecordError) as caught:
        read(linked(signedPreKey={"keyPair": pair(4), "signature": bare(SECRET), "keyId": 1}))

    assert "signedPreKey.signature" in str(caught.value)
    assert bare(SECRET) not in repr(caught.value)
    assert caught.value.__cause__ is None


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text("abc"), parts, max_size=3),
    max_leaves=8,
)
OPTIONAL = st.sets(
    st.sampled_from(["account", "me", "platform", "routingInfo", "signalIdentities", "registered"])
)


@given(unknown=st.dictionaries(st.text(min_size=1).map("x-".__add__), PLAIN), absent=OPTIONAL)
def test_any_document_comes_back_whole(unknown: dict[str, Any], absent: set[str]) -> None:
    document = {name: part for name, part in linked(**unknown).items() if name not in absent}

    creds = read(document)

    again = written(replace(creds, account_sync_counter=2))
    assert again == {"registered": False} | document | {"accountSyncCounter": 2}
    assert Creds.from_bytes(creds.to_bytes()) == creds


def test_a_fresh_account_is_spelt_as_baileys_does() -> None:
    account = Account(details=b"details", device_signature=b"d" * 64)

    document = written(replace(some_creds(), account=account))

    assert document["account"] == {"details": bare(b"details"), "deviceSignature": bare(b"d" * 64)}
