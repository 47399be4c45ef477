"""The report on a session: each thing that can be wrong is found, and what is sound says so."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest
from wa_core.crypto.keypair import KeyPair
from wa_core.state import Account, AuthState, Creds, Me, Report, Severity, new_identity, validate
from wa_core.storage import MemoryEngine

NOW = 1_800_000_000.0
DAY_S = 86400
SOUND = new_identity(now=lambda: NOW - 3 * DAY_S)
OTHER = new_identity()
KEY_ID = b64encode(b"\x00/\xffkey").decode()
PHONE, LID = "5491112345678", "100000000000001"
SUBJECTS = [
    "registered",
    "me",
    "identity key",
    "signed pre-key",
    "signed pre-key age",
    "signed pre-key signature",
    "pre-keys",
    "app-state key",
    "orphans",
]


async def linked(**changes: Any) -> AuthState:
    """Make a state in which everything is as it should be, but for `changes`."""
    creds = replace(
        SOUND,
        me=Me(id=f"{PHONE}:1@s.whatsapp.net", lid=f"{LID}:1@lid"),
        account=Account(details=b"details"),
        my_app_state_key_id=KEY_ID,
        next_pre_key_id=4,
        first_unuploaded_pre_key_id=3,
    )
    engine = MemoryEngine()
    state = await AuthState.open(engine, create=True, mint=lambda: replace(creds, **changes))
    pair = {"private": b"p" * 32, "public": b"q" * 32}
    await state.keys.set(
        {
            "pre-key": {"2": pair, "3": pair},
            "app-state-sync-key": {KEY_ID: {"keyData": "aa=="}},
            "lid-mapping": {PHONE: LID, f"{LID}_reverse": PHONE},
            "session": {f"{LID}_1.0": {"version": "v1"}, "5492222222222.0": {"version": "v1"}},
            "sender-key": {f"120@g.us::{LID}_1::1": b"[]"},
            "sender-key-memory": {"120@g.us": {}},
        }
    )
    return state


async def look(state: AuthState) -> Report:
    return await validate(state, now=lambda: NOW)


async def test_a_sound_session_has_a_finding_for_everything_that_was_looked_at() -> None:
    report = await look(await linked())

    assert [finding.subject for finding in report.findings] == SUBJECTS
    assert report.worst is Severity.OK, str(report)
    assert "3 days" in report.of("signed pre-key age")[0].found


async def test_a_new_identity_is_sound_but_for_the_linking() -> None:
    state = await AuthState.open(MemoryEngine(), create=True, mint=lambda: SOUND)

    report = await look(state)

    assert report.worst is Severity.WARNING
    assert [finding.subject for finding in report.findings] == SUBJECTS
    assert [f.subject for f in report.findings if f.severity is Severity.WARNING] == ["registered"]


@pytest.mark.parametrize(
    ("changes", "subject", "severity", "words"),
    [
        ({"account": None}, "registered", Severity.WARNING, "pairing code is pending"),
        ({"account": None, "me": None}, "registered", Severity.WARNING, "no phone"),
        ({"registered": True}, "registered", Severity.OK, "by pairing code"),
        ({"me": None}, "me", Severity.ERROR, "whose device"),
        ({"me": Me(id=f"{PHONE}@s.whatsapp.net")}, "me", Severity.ERROR, "device number"),
        ({"me": Me(id=f"{PHONE}:1@s.whatsapp.net")}, "me", Severity.NOTE, "LID is not"),
        (
            {"signed_identity_key": KeyPair(b"k" * 32, SOUND.signed_identity_key.public)},
            "identity key",
            Severity.ERROR,
            "halves",
        ),
        (
            {
                "signed_pre_key": replace(
                    SOUND.signed_pre_key,
                    key_pair=KeyPair(b"k" * 32, SOUND.signed_pre_key.key_pair.public),
                )
            },
            "signed pre-key",
            Severity.ERROR,
            "halves",
        ),
        (
            {"signed_pre_key": replace(SOUND.signed_pre_key, timestamp_s=int(NOW - 31 * DAY_S))},
            "signed pre-key age",
            Severity.WARNING,
            "31 days",
        ),
        (
            {"signed_pre_key": replace(SOUND.signed_pre_key, timestamp_s=int(NOW - 30 * DAY_S))},
            "signed pre-key age",
            Severity.OK,
            "30 days",
        ),
        (
            {"signed_pre_key": replace(SOUND.signed_pre_key, timestamp_s=int(NOW + 2 * DAY_S))},
            "signed pre-key age",
            Severity.WARNING,
            "future",
        ),
        (
            {"signed_pre_key": replace(SOUND.signed_pre_key, timestamp_s=None)},
            "signed pre-key age",
            Severity.NOTE,
            "unknown",
        ),
        (
            {"signed_pre_key": OTHER.signed_pre_key},
            "signed pre-key signature",
            Severity.ERROR,
            "not by",
        ),
        ({"next_pre_key_id": 3}, "pre-keys", Severity.ERROR, "3 is stored"),
        ({"first_unuploaded_pre_key_id": 5}, "pre-keys", Severity.ERROR, "first to offer is 5"),
        ({"next_pre_key_id": 7}, "pre-keys", Severity.WARNING, "3 that were not offered"),
        ({"my_app_state_key_id": None}, "app-state key", Severity.WARNING, "none yet"),
        ({"my_app_state_key_id": "other"}, "app-state key", Severity.ERROR, "absent"),
    ],
)
async def test_what_is_wrong_with_the_credentials_is_found(
    changes: dict[str, Any], subject: str, severity: Severity, words: str
) -> None:
    report = await look(await linked(**changes))

    (finding,) = report.of(subject)
    assert finding.severity is severity
    assert words in finding.found
    assert finding.advice or severity is Severity.OK


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ({"pre-key": {"2": None, "3": None}}, "none is stored"),
        ({"pre-key": {str(n): {"private": b"p"} for n in range(10_000, 12_000)}}, "more than 1624"),
    ],
)
async def test_too_few_and_too_many_pre_keys_are_found(records: Any, words: str) -> None:
    state = await linked(next_pre_key_id=20_000, first_unuploaded_pre_key_id=20_000)
    await state.keys.set(records)

    report = await look(state)

    (finding,) = report.of("pre-keys")
    assert finding.severity is Severity.WARNING
    assert words in finding.found


async def test_a_damaged_app_state_key_is_found() -> None:
    state = await linked()
    await state.keys.set({"app-state-sync-key": {"bad": {}}})
    await state.update_creds(lambda creds: replace(creds, my_app_state_key_id="bad"))
    await state.engine.set("session/app-state-sync-key/bad", b"{")

    (finding,) = (await look(state)).of("app-state key")

    assert (finding.severity, "damaged" in finding.found) == (Severity.ERROR, True)


@pytest.mark.parametrize(
    ("records", "severity", "words"),
    [
        ({"lid-mapping": {f"{LID}_reverse": None}}, Severity.WARNING, "1 LID mappings without"),
        ({"lid-mapping": {PHONE: None}}, Severity.WARNING, "1 LID mappings without"),
        ({"lid-mapping": {PHONE: "7"}}, Severity.WARNING, "2 LID mappings without"),
        ({"session": {f"{PHONE}.3": {}}}, Severity.WARNING, "1 ratchets by number"),
        ({"sender-key": {f"120@g.us::{LID}_1::1": None}}, Severity.NOTE, "1 notes of who"),
        ({"from-the-future": {"1": 1, "2": 2}}, Severity.NOTE, "2 records of a kind"),
        ({"lid-mapping": {"7": 7, "8": {"x": 1}}}, Severity.ERROR, "2 damaged LID mappings"),
    ],
)
async def test_records_that_belong_to_nothing_are_found(
    records: Any, severity: Severity, words: str
) -> None:
    state = await linked()
    await state.keys.set(records)

    (finding,) = (await look(state)).of("orphans")

    assert finding.severity is severity
    assert finding.found.startswith(words)


async def test_keys_that_are_no_record_are_found() -> None:
    state = await linked()
    for key in ("session/x", "session/a/b/c", "session/pre-key/%zz"):
        await state.engine.set(key, b"1")

    (finding,) = (await look(state)).of("orphans")

    assert finding.found.startswith("3 keys that are no record")


async def test_a_report_shows_no_number_and_no_key() -> None:
    state = await linked(signed_pre_key=OTHER.signed_pre_key, me=Me(id=PHONE, lid=LID))
    await state.keys.set({"session": {f"{PHONE}.3": {}}, "lid-mapping": {PHONE: "7"}})

    report = await look(state)

    shown = f"{report}\n{report!r}"
    assert PHONE not in shown
    assert LID not in shown
    assert "error: signed pre-key signature: not by the identity key (rotate" in shown


async def test_looking_changes_nothing() -> None:
    state = await linked()
    before = {entry.key: entry async for entry in state.engine.scan()}

    await look(state)

    assert {entry.key: entry async for entry in state.engine.scan()} == before


async def test_an_unlinked_creds_value_is_compared_by_what_it_says() -> None:
    assert Creds.from_bytes(SOUND.to_bytes()) == SOUND
