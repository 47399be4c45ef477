"""One step at a time: what goes wrong is named, and has changed nothing."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signal_bench.capture import captured
from signal_bench.device import PEER, Device, Libsignal, Ours, Sealed
from signal_bench.node import Node, Refused, running_node, unb64
from wa_core.errors import (
    CorruptRecordError,
    ForgedBundleError,
    KeyUsedError,
    MalformedMessageError,
    NoRatchetError,
    SignalError,
    UndecryptableError,
    UnknownPreKeyError,
)
from wa_core.signal import pairwise
from wa_core.signal.changes import batch_of
from wa_core.signal.curve import generate_key_pair
from wa_core.signal.keys import Identity, key_pair_of
from wa_core.signal.ratchets import MAX_RATCHETS, parse_record
from wa_core.storage import Delete, Put
from wa_core.storage.layouts import loads

NOW = 1_700_000_000_000


def met(*, one_time: bool = True) -> tuple[Device, Device]:
    """Two devices, of which the first can write to the second."""
    ann, ben = Device(11), Device(22)
    ann.record = Ours().begin(ann, ben.bundle(one_time=one_time), NOW).record
    return ann, ben


def send(device: Device, text: bytes = b"hello") -> Sealed:
    stepped = Ours().encrypt(device, text, NOW)
    device.record = stepped.record
    return stepped.kind, stepped.data


def deliver(device: Device, sealed: Sealed) -> bytes:
    stepped = Ours().decrypt(device, sealed, NOW)
    device.record = stepped.record
    device.pre_keys.pop(stepped.used_pre_key or 0, None)
    return stepped.data


def test_the_messages_that_libsignal_left_on_their_way_open() -> None:
    case = captured("ratchets")
    spelt = case["identity"]
    ben = Device(
        spelt["registrationId"],
        pair=_pair(spelt["signedIdentityKey"]),
        signed_pre_key=_pair(spelt["signedPreKey"]["keyPair"]),
        record=case["record"],
    )

    opened = [deliver(ben, (kind, unb64(data))) for _, kind, data in reversed(case["late"])]

    assert opened == [text.encode() for text, _, _ in reversed(case["late"])]


def _pair(value: dict[str, str]) -> Any:
    return key_pair_of({name: unb64(text) for name, text in value.items()})


def test_a_first_message_uses_its_pre_key_up_and_says_who_wrote() -> None:
    ann, ben = met()
    kind, data = send(ann)

    wanted = pairwise.needs(PEER, "pkmsg", data)
    opened, changes = pairwise.decrypt(ben.identity, ben.records(), PEER, "pkmsg", data, now=NOW)

    assert (kind, opened.plaintext, opened.identity_changed) == ("pkmsg", b"hello", False)
    assert wanted == {"session": [PEER], "identity-key": [PEER], "pre-key": ["1"]}
    assert changes["pre-key"] == {"1": None}
    assert changes["identity-key"] == {PEER: b"\x05" + ann.pair.public}
    operations = list(batch_of(changes))
    assert [type(each) for each in operations] == [Put, Delete, Put]
    assert isinstance(operations[2], Put)
    assert operations[2].key == f"session/session/{PEER}"
    assert loads(operations[2].value) == changes["session"][PEER]


def test_a_first_message_without_a_one_time_key_opens_too() -> None:
    ann, ben = met(one_time=False)
    sealed = send(ann)

    assert pairwise.needs(PEER, "pkmsg", sealed[1]).keys() == {"session", "identity-key"}
    assert deliver(ben, sealed) == b"hello"


def test_another_identity_under_the_same_address_is_told() -> None:
    ann, ben = met()
    deliver(ben, send(ann))
    again, _ = met()
    again.record = Ours().begin(again, ben.bundle(one_time=True), NOW).record
    records = ben.records() | {"identity-key": {PEER: b"\x05" + ann.pair.public}}

    _, data = send(again)
    opened, changes = pairwise.decrypt(ben.identity, records, PEER, "pkmsg", data, now=NOW)
    bundled, _ = pairwise.process_bundle(
        ben.identity, records, PEER, again.bundle(one_time=False), now=NOW
    )

    assert opened.identity_changed
    assert bundled
    assert changes["identity-key"] == {PEER: b"\x05" + again.pair.public}


def test_a_bundle_that_somebody_else_signed_is_refused() -> None:
    ann, ben = Device(11), Device(22)
    good = ben.bundle(one_time=True)

    for forged in (
        replace(good, signature=bytes(64)),
        replace(good, identity_key=generate_key_pair().public),
        replace(good, signed_pre_key=generate_key_pair().public),
    ):
        with pytest.raises(ForgedBundleError):
            Ours().begin(ann, forged, NOW)


def test_without_a_ratchet_nothing_is_written_or_read() -> None:
    ann, ben = Device(11), Device(22)
    stranger, reader = met()
    deliver(reader, send(stranger))
    answer = send(reader)

    with pytest.raises(NoRatchetError):
        send(ann)
    with pytest.raises(NoRatchetError):
        deliver(ben, answer)


def test_a_closed_ratchet_reads_and_does_not_write() -> None:
    ann, ben = met()
    deliver(ben, send(ann))
    late = send(ann)
    assert ben.record is not None
    for entry in ben.record["_sessions"].values():
        entry["indexInfo"]["closed"] = NOW

    assert deliver(ben, late) == b"hello"
    with pytest.raises(NoRatchetError):
        send(ben)


def test_a_message_for_a_key_that_is_gone_is_named_so() -> None:
    ann, ben = met()
    sealed = send(ann)
    without = Device(22, ben.pair, ben.signed_pre_key)
    rotated = Device(22, ben.pair, pre_keys=ben.pre_keys)

    with pytest.raises(UnknownPreKeyError, match="pre-key 1"):
        deliver(without, sealed)
    identity = Identity(rotated.pair, 22, {2: rotated.signed_pre_key})
    with pytest.raises(UnknownPreKeyError, match="replaced"):
        pairwise.decrypt(identity, rotated.records(), PEER, "pkmsg", sealed[1], now=NOW)


def test_a_repeated_message_is_told_from_one_that_does_not_open() -> None:
    ann, ben = met()
    first = send(ann)
    deliver(ben, first)
    deliver(ann, send(ben))
    second = send(ann)
    deliver(ben, second)
    before = deepcopy(ben.record)

    for repeated in (first, second):
        with pytest.raises(KeyUsedError):
            deliver(ben, repeated)
    damaged = second[1][:-1] + bytes([second[1][-1] ^ 1])
    with pytest.raises(KeyUsedError):
        deliver(ben, ("msg", damaged))
    other = send(ann)[1]
    with pytest.raises(UndecryptableError):
        deliver(ben, ("msg", other[:-1] + bytes([other[-1] ^ 1])))
    assert ben.record == before
    assert deliver(ben, ("msg", other)) == b"hello"


@pytest.mark.parametrize(("missing", "opens"), [(1999, True), (2000, True), (2001, False)])
def test_two_thousand_messages_may_be_missing(missing: int, opens: bool) -> None:
    ann, ben = met()
    deliver(ben, send(ann))
    first = send(ann)
    for _ in range(missing - 1):
        send(ann)
    last = send(ann, b"last")

    if opens:
        assert deliver(ben, last) == b"last"
        assert deliver(ben, first) == b"hello"
    else:
        with pytest.raises(UndecryptableError, match="2000"):
            deliver(ben, last)


def test_a_chain_that_its_sender_left_far_behind_stays_open_for_what_is_late() -> None:
    ann, ben = met()
    deliver(ben, send(ann))
    answer = send(ben)
    late = [send(ann, b"late") for _ in range(2100)]
    deliver(ann, answer)

    assert deliver(ben, send(ann, b"next")) == b"next"
    assert deliver(ben, late[0]) == b"late"
    assert deliver(ben, late[1900]) == b"late"


def test_a_chain_that_its_sender_left_keeps_the_keys_of_what_is_late_and_no_other() -> None:
    ann, ben = met()
    deliver(ben, send(ann))
    answer = send(ben)
    late = [send(ann, b"late") for _ in range(3)]
    deliver(ann, answer)
    deliver(ben, send(ann))

    found = parse_record(ben.record).open_ratchet
    assert found is not None
    left = [chain for chain in found.chains.values() if chain.key is None]
    assert [sorted(chain.seeds) for chain in left] == [[1, 2, 3]]
    assert [deliver(ben, sealed) for sealed in late] == [b"late"] * 3


def test_the_oldest_closed_ratchet_falls_off() -> None:
    ann, ben = Device(11), Device(22)
    for number in range(MAX_RATCHETS + 3):
        ann.record = Ours().begin(ann, ben.bundle(one_time=False), NOW + number).record

    kept = parse_record(ann.record)

    assert len(kept.ratchets) == MAX_RATCHETS
    assert [each.created for each in kept.ratchets.values()] == [
        NOW + number for number in range(3, MAX_RATCHETS + 3)
    ]
    assert [each.is_open for each in kept.ratchets.values()].count(True) == 1


def test_a_damaged_record_names_its_key() -> None:
    ann, _ = met()
    ann.record = {"_sessions": {"x": {}}, "version": "v1"}

    with pytest.raises(CorruptRecordError) as caught:
        send(ann)

    assert caught.value.key == f"session/session/{PEER}"


SEALED = send(met()[0])[1]


@given(
    data=st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=300).map(lambda data: b"\x33" + data),
        st.tuples(st.integers(0, len(SEALED) - 1), st.integers(1, 255)).map(
            lambda hit: SEALED[: hit[0]] + bytes([SEALED[hit[0]] ^ hit[1]]) + SEALED[hit[0] + 1 :]
        ),
        st.integers(0, len(SEALED) - 1).map(lambda size: SEALED[:size]),
    ),
    kind=st.sampled_from(["pkmsg", "msg"]),
)
def test_bytes_of_anybody_end_in_an_error_of_ours(data: bytes, kind: str) -> None:
    ben = READER

    with pytest.raises(SignalError):
        Ours().decrypt(ben, (kind, data), NOW)


WRITER, READER = met()
deliver(READER, send(WRITER))


def test_a_message_of_too_few_bytes_is_malformed() -> None:
    for kind in ("pkmsg", "msg"):
        with pytest.raises(MalformedMessageError):
            Ours().decrypt(READER, (kind, b""), NOW)


@pytest.fixture
def node() -> Iterator[Node]:
    with running_node() as found:
        yield found


@pytest.mark.once
def test_a_ratchet_that_did_not_fit_stays_as_it_was_which_libsignal_spoils(node: Node) -> None:
    ann, ben = met()
    deliver(ben, send(ann))
    deliver(ann, send(ben))
    late = send(ann)
    ann.record = Ours().begin(ann, ben.bundle(one_time=True), NOW + 1).record
    ben.record = Ours().decrypt(ben, send(ann), NOW + 1).record

    # Both try it on the newer ratchet first, for that one was used last.
    theirs = Libsignal(node).decrypt(ben, late, NOW + 2)
    ours = Ours().decrypt(ben, late, NOW + 2)

    assert theirs.data == ours.data == b"hello"
    newer = list(ours.record["_sessions"])[-1]
    assert ben.record is not None
    assert ours.record["_sessions"][newer] == ben.record["_sessions"][newer]
    assert theirs.record["_sessions"][newer] != ben.record["_sessions"][newer]
    ben.record = ours.record
    assert deliver(ann, send(ben)) == b"hello"
    ben.record = theirs.record
    answer = Libsignal(node).encrypt(ben, b"answer", NOW + 3)
    with pytest.raises(Refused):
        Libsignal(node).decrypt(ann, (answer.kind, answer.data), NOW + 3)
