"""Records of the real Baileys, and made-up ones, through the model and through axolotl and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signal_bench.capture import captured, pair_of
from signal_bench.node import b64, unb64
from wa_core.errors import UsageError
from wa_core.signal.cipher import decrypt_with, parse_message
from wa_core.signal.conversion import from_axolotl, ratchet_of, state_of, to_axolotl
from wa_core.signal.curve import generate_key_pair
from wa_core.signal.fields import ShapeError
from wa_core.signal.keys import Identity, typed
from wa_core.signal.ratchets import (
    OURS,
    RECEIVING,
    SENDING,
    THEIRS,
    Chain,
    PendingPreKey,
    Ratchet,
    Record,
    build_record,
    parse_record,
)
from wa_core.signal.senderkeys import build_sender_keys, parse_sender_keys
from wa_core.storage.layouts import dumps, loads

CAPTURED = captured("ratchets")
NOW = 1_800_000_000_000

KEY = st.binary(min_size=32, max_size=32)
PUBLIC = KEY.map(typed)
COUNTER = st.integers(-1, 2**31)
REST = st.dictionaries(
    st.sampled_from(["later", "", "новое", "__proto__"]),
    st.one_of(st.none(), st.booleans(), st.text(), st.lists(st.integers())),
    max_size=2,
)


def chains(kind: int) -> st.SearchStrategy[Chain]:
    # A sending chain skips nothing, and only one that receives is ever closed.
    receives = kind == RECEIVING
    seeds = st.dictionaries(st.integers(0, 2**32 - 1), KEY, max_size=3)
    return st.builds(
        Chain,
        kind=st.just(kind),
        counter=COUNTER,
        key=st.one_of(st.none(), KEY) if receives else KEY,
        seeds=seeds if receives else st.just({}),
        rest=REST,
    )


@st.composite
def ratchets(draw: st.DrawFn) -> Ratchet:
    ours = draw(PUBLIC)
    found = draw(st.dictionaries(PUBLIC, chains(RECEIVING), max_size=7))
    if draw(st.booleans()):
        found[ours] = draw(chains(SENDING))
    base_key, numbers = draw(PUBLIC), st.integers(0, 2**31 - 1)
    pending = st.builds(PendingPreKey, st.just(base_key), numbers, st.none() | numbers, REST)
    return Ratchet(
        base_key=base_key,
        base_key_type=draw(st.sampled_from([OURS, THEIRS])),
        their_identity=draw(PUBLIC),
        registration_id=draw(st.none() | numbers),
        root_key=draw(KEY),
        our_public=ours,
        our_private=draw(KEY),
        their_public=draw(st.sampled_from([*found, draw(PUBLIC)])),
        previous_counter=draw(COUNTER),
        chains=found,
        pending=draw(st.none() | pending),
        closed=draw(st.just(-1) | st.integers(0, NOW)),
        used=draw(st.none() | st.integers(0, NOW)),
        created=draw(st.none() | st.integers(0, NOW)),
        rest=draw(REST),
    )


RECORDS = st.builds(
    lambda found, rest: Record({b64(each.base_key): each for each in found}, rest),
    st.lists(ratchets(), max_size=3, unique_by=lambda ratchet: ratchet.base_key),
    REST,
)
ANYBODY = Identity(generate_key_pair(), 77, {})


@pytest.mark.parametrize("name", ["record", "fresh"])
def test_what_libsignal_wrote_comes_out_byte_for_byte(name: str) -> None:
    written = dumps(CAPTURED[name])

    assert dumps(build_record(parse_record(loads(written)))) == written


@pytest.mark.parametrize("name", ["own", "listener"])
def test_what_baileys_wrote_of_a_sender_key_comes_out_byte_for_byte(name: str) -> None:
    written = unb64(captured("sender-key")[name])

    assert build_sender_keys(parse_sender_keys(written)) == written


@settings(max_examples=50)
@given(record=RECORDS)
def test_a_record_that_was_built_reads_as_it_was(record: Record) -> None:
    assert parse_record(loads(dumps(build_record(record)))) == record


@settings(max_examples=50)
@given(record=RECORDS)
def test_to_axolotl_and_back_changes_nothing(record: Record) -> None:
    assert from_axolotl(to_axolotl(record, ANYBODY), record, now=NOW) == record


def test_fields_that_nobody_knows_stay_at_every_depth() -> None:
    spelt = build_record(parse_record(CAPTURED["record"]))
    news = {"added": {"later": [1, None, "two"]}}
    places = [spelt]
    for entry in spelt["_sessions"].values():
        current = entry["currentRatchet"]
        places += [entry, current, current["ephemeralKeyPair"], entry["indexInfo"]]
        places += [entry["pendingPreKey"]] if "pendingPreKey" in entry else []
        for chain in entry["_chains"].values():
            places += [chain, chain["chainKey"]]
    for place in places:
        place.update(news)

    assert len(places) > 20
    assert build_record(parse_record(spelt)) == spelt


def test_a_record_without_a_version_gets_its_registration_id_from_the_top() -> None:
    old = build_record(parse_record(CAPTURED["record"]))
    del old["version"]
    for entry in old["_sessions"].values():
        del entry["registrationId"]

    found = parse_record({**old, "registrationId": 4711})

    assert [each.registration_id for each in found.ratchets.values()] == [4711, 4711]
    assert build_record(found)["version"] == "v1"


def test_the_version_of_a_later_libsignal_is_not_guessed_at() -> None:
    with pytest.raises(ShapeError, match="came later"):
        parse_record({**CAPTURED["record"], "version": "v2"})


def damaged() -> list[Any]:
    """One record for each way to be none."""
    good: dict[str, Any] = loads(dumps(CAPTURED["record"]))
    name, entry = next(iter(good["_sessions"].items()))

    def other(**fields: Any) -> dict[str, Any]:
        return {**good, "_sessions": {name: {**entry, **fields}}}

    current, index = entry["currentRatchet"], entry["indexInfo"]
    chain_name, chain = next(iter(entry["_chains"].items()))
    return [
        None,
        [],
        {**good, "_sessions": [1]},
        other(currentRatchet=None),
        other(currentRatchet={**current, "rootKey": "AAAA"}),
        other(currentRatchet={**current, "rootKey": "!"}),
        other(currentRatchet={**current, "rootKey": None}),
        other(currentRatchet={**current, "previousCounter": "0"}),
        other(indexInfo={**index, "closed": True}),
        other(_chains=None),
        other(_chains={"short": chain}),
        other(_chains={chain_name: {**chain, "messageKeys": {"x": current["rootKey"]}}}),
        other(_chains={chain_name: {**chain, "messageKeys": {"1": 1}}}),
        other(_chains={chain_name: {**chain, "messageKeys": None}}),
    ]


@pytest.mark.parametrize("value", damaged())
def test_a_damaged_record_is_told_from_a_good_one_without_showing_it(value: Any) -> None:
    with pytest.raises(ShapeError) as caught:
        parse_record(value)

    assert not any(secret in str(caught.value) for secret in secrets_of(CAPTURED))


@pytest.mark.parametrize(
    "value", [b"", b"{}", b"[1]", b'[{"senderKeyId":1}]', "text", [], None], ids=repr
)
def test_a_damaged_sender_key_is_told_from_a_good_one(value: Any) -> None:
    with pytest.raises(ShapeError):
        parse_sender_keys(value)


def secrets_of(value: Any) -> set[str]:
    """Collect whatever could be a secret: long texts, as they stand and as bytes are shown."""
    if isinstance(value, dict):
        return set[str]().union(*(secrets_of(part) for part in value.values()))
    if isinstance(value, list):
        return set[str]().union(*(secrets_of(part) for part in value))
    if isinstance(value, str) and len(value) == 44:
        raw = unb64(value)
        return {value, raw.hex(), repr(raw)[2:-1], str(list(raw))[1:-1]}
    return set()


def test_no_secret_is_shown() -> None:
    record = parse_record(CAPTURED["record"])
    mine = parse_sender_keys(unb64(captured("sender-key")["own"]))
    identity = Identity(pair_of(CAPTURED["identity"]["signedIdentityKey"]), 1, {})

    shown = repr((record, to_axolotl(record, ANYBODY), mine, identity))

    secret = {each.root_key for each in record.ratchets.values()}
    secret |= {each.our_private for each in record.ratchets.values()}
    for ratchet in record.ratchets.values():
        for chain in ratchet.chains.values():
            secret |= {chain.key or b"-" * 32, *chain.seeds.values()}
    secret |= {mine[0].chain_key, mine[0].signing_private or b"", identity.key_pair.private}
    assert len(secret) > 10
    for each in secret:
        assert not any(form in shown for form in (repr(each)[2:-1], each.hex(), b64(each)))


def test_two_turns_at_once_are_refused_where_they_would_lose_a_seed() -> None:
    identity = Identity.of_creds(loads(dumps(in_bytes(CAPTURED["identity"]))))
    before = parse_record(CAPTURED["record"]).open_ratchet
    assert before is not None
    state = state_of(before, identity)
    added = state.getStructure().receiverChains.add(senderRatchetKey=typed(bytes(32)))
    added.chainKey.key, added.chainKey.index = bytes(32), 2
    added.messageKeys.add(index=0, cipherKey=bytes(32), macKey=bytes(32), iv=bytes(16))

    with pytest.raises(UsageError, match="seeds"):
        ratchet_of(state, before)


def test_a_state_of_no_ratchet_of_the_record_is_refused() -> None:
    record = parse_record(CAPTURED["record"])
    stranger = to_axolotl(record, ANYBODY)

    with pytest.raises(UsageError, match="no ratchet"):
        from_axolotl(stranger, Record(), now=NOW)


def test_the_seed_of_a_skipped_message_is_what_libsignal_would_have_kept() -> None:
    identity = Identity.of_creds(in_bytes(CAPTURED["identity"]))
    before = parse_record(CAPTURED["record"]).open_ratchet
    assert before is not None
    kept = dict(before.chains)
    text, _, data = CAPTURED["late"][-2]
    state = state_of(before, identity)

    plaintext = decrypt_with(state, parse_message(unb64(data)), lambda size: bytes(size))
    after = ratchet_of(state, before)

    assert plaintext == text.encode()
    changed = {key for key in kept if after.chains[key] != kept[key]}
    assert len(changed) == 1
    (key,) = changed
    assert after.chains[key] == replace(
        kept[key], seeds={n: s for n, s in kept[key].seeds.items() if n != 0}
    )


def in_bytes(value: Any) -> Any:
    """Spell captured keys as `layouts.loads` gives them."""
    if isinstance(value, dict):
        return {name: in_bytes(part) for name, part in value.items()}
    return unb64(value) if isinstance(value, str) else value
