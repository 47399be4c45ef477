"""Sender keys one step at a time."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signal_bench.capture import captured
from signal_bench.node import unb64
from wa_core.errors import (
    CorruptRecordError,
    KeyUsedError,
    MalformedMessageError,
    NoRatchetError,
    SignalError,
    UndecryptableError,
)
from wa_core.signal import groups
from wa_core.signal.senderkeys import MAX_SEEDS, MAX_STATES, parse_sender_keys

NAME = "120363@g.us::1::0"
Kept = dict[str, dict[str, Any]]


class Party:
    """The records of one side."""

    def __init__(self, value: bytes | None = None) -> None:
        self.records: Kept = {} if value is None else {"sender-key": {NAME: value}}

    def distribute(self) -> bytes:
        data, changes = groups.distribute(self.records, NAME)
        self.records |= changes
        return data

    def take(self, data: bytes) -> None:
        self.records |= groups.process_distribution(self.records, NAME, data)

    def send(self, text: bytes = b"hello") -> bytes:
        data, changes = groups.encrypt(self.records, NAME, text)
        self.records |= changes
        return data

    def open(self, data: bytes) -> bytes:
        plaintext, changes = groups.decrypt(self.records, NAME, data)
        self.records |= changes
        return plaintext

    @property
    def value(self) -> Any:
        return self.records["sender-key"][NAME]


def met() -> tuple[Party, Party]:
    sender, listener = Party(), Party()
    listener.take(sender.distribute())
    return sender, listener


def test_the_messages_that_baileys_left_on_their_way_open_in_any_order() -> None:
    case = captured("sender-key")
    listener = Party(unb64(case["listener"]))

    opened = [listener.open(unb64(data)) for _, data in reversed(case["late"])]

    assert opened == [text.encode() for text, _ in reversed(case["late"])]


def test_a_sender_key_of_baileys_goes_on_with_ours() -> None:
    sender, listener = Party(unb64(captured("sender-key")["own"])), Party()
    listener.take(sender.distribute())

    assert [listener.open(sender.send(text)) for text in (b"one", b"two")] == [b"one", b"two"]


def test_our_own_chain_leaves_no_key_out() -> None:
    sender, _ = met()
    for _ in range(3):
        sender.send()

    (own,) = parse_sender_keys(sender.value)

    assert own.iteration == 3
    assert not own.seeds


def test_a_message_opens_once() -> None:
    sender, listener = met()
    first, second = sender.send(b"first"), sender.send(b"second")

    assert listener.open(second) == b"second"
    assert listener.open(first) == b"first"
    for data in (first, second):
        with pytest.raises(KeyUsedError):
            listener.open(data)


def test_who_comes_later_opens_what_follows() -> None:
    sender, _ = met()
    before = sender.send()
    late = Party()
    late.take(sender.distribute())

    assert late.open(sender.send(b"after")) == b"after"
    with pytest.raises(KeyUsedError, match="before its sender key"):
        late.open(before)


def test_a_key_that_is_handed_over_again_forgets_nothing() -> None:
    sender, listener = met()
    missed = [sender.send(b"missed") for _ in range(MAX_STATES + 1)]
    for _ in range(MAX_STATES + 1):
        listener.take(sender.distribute())

    assert [listener.open(data) for data in missed] == [b"missed"] * len(missed)
    with pytest.raises(KeyUsedError):
        listener.open(missed[0])


def test_the_last_five_keys_of_a_sender_are_kept() -> None:
    listener, senders = Party(), [Party() for _ in range(MAX_STATES + 1)]
    for sender in senders:
        listener.take(sender.distribute())

    with pytest.raises(NoRatchetError):
        listener.open(senders[0].send())
    assert [listener.open(sender.send()) for sender in senders[1:]] == [b"hello"] * MAX_STATES


def test_two_keys_of_one_number_are_told_apart_by_their_signatures() -> None:
    def dice(size: int) -> bytes:
        # Four bytes are the number; everything else is rolled.
        return bytes(size) if size == 4 else secrets.token_bytes(size)

    listener, messages = Party(), []
    for text in (b"one", b"two"):
        records: Kept = {}
        data, changes = groups.distribute(records, NAME, dice=dice)
        listener.take(data)
        message, _ = groups.encrypt(changes, NAME, text)
        messages.append(message)

    assert [listener.open(message) for message in messages] == [b"one", b"two"]


def test_two_thousand_messages_may_be_missing_and_all_of_them_open() -> None:
    sender, listener = met()
    missed = [sender.send() for _ in range(MAX_SEEDS)]

    listener.open(sender.send())
    (kept,) = parse_sender_keys(listener.value)

    assert len(kept.seeds) == MAX_SEEDS
    assert listener.open(missed[0]) == listener.open(missed[-1]) == b"hello"


def test_more_than_two_thousand_are_refused_before_they_are_counted() -> None:
    sender, listener = met()
    sender.records["sender-key"][NAME] = sender.value.replace(
        b'"iteration":0', b'"iteration":4000000000'
    )

    with pytest.raises(UndecryptableError, match="2000"):
        listener.open(sender.send())


def test_what_another_signed_is_refused() -> None:
    sender, listener = met()
    data = bytearray(sender.send())
    data[-1] ^= 1

    with pytest.raises(UndecryptableError, match="not signed"):
        listener.open(bytes(data))


def test_a_listener_cannot_send_with_the_key_of_another() -> None:
    _, listener = met()

    with pytest.raises(NoRatchetError):
        listener.send()
    with pytest.raises(NoRatchetError):
        Party().send()


def test_a_damaged_record_names_its_key() -> None:
    with pytest.raises(CorruptRecordError) as caught:
        Party(b"[{}]").send()

    assert caught.value.key == f"session/sender-key/{NAME}"


SENDER, LISTENER = met()
DISTRIBUTION, MESSAGE = SENDER.distribute(), SENDER.send()


@given(data=st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(lambda d: b"\x33" + d)))
def test_bytes_of_anybody_end_in_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(SignalError):
        groups.decrypt(LISTENER.records, NAME, data)
    with pytest.raises(SignalError):
        groups.process_distribution(LISTENER.records, NAME, data)


@given(place=st.integers(0, len(MESSAGE) - 1), change=st.integers(1, 255))
def test_a_message_that_was_changed_anywhere_does_not_open(place: int, change: int) -> None:
    changed = bytearray(MESSAGE)
    changed[place] ^= change

    with pytest.raises(SignalError):
        groups.decrypt(LISTENER.records, NAME, bytes(changed))


def test_a_distribution_that_was_cut_off_anywhere_is_malformed() -> None:
    for size in range(len(DISTRIBUTION)):
        with pytest.raises(MalformedMessageError):
            groups.process_distribution(LISTENER.records, NAME, DISTRIBUTION[:size])
