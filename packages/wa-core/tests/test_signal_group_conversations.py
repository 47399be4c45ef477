"""Groups whose sender keys go between Baileys and ours at any moment.

Baileys cannot open a message out of order: the seeds it has kept come back from JSON as something
else. So there are two rules: what Baileys opens we open alike, and we open each message that comes
for the first time after its key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from signal_bench.node import Node, Refused, b64, running_node, unb64
from wa_core.errors import SignalError
from wa_core.signal import groups
from wa_core.signal.senderkeys import MAX_STATES, parse_sender_keys

pytestmark = pytest.mark.once

Who = Literal["node", "ours"]
NAME = "group::peer::0"


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with running_node() as found:
        yield found


@dataclass
class Group:
    """One sender and one of those who listen; what was sent, in order, and what was opened."""

    node: Node
    sender: bytes | None = None
    listener: bytes | None = None
    sent: list[tuple[bytes, bytes]] = field(default_factory=list)
    opened: set[int] = field(default_factory=set)
    handed_to_baileys: int = 0

    def distribute(self, by: Who, to: Who) -> None:
        """Hand the sender's key over."""
        if by == "node":
            answer = self.node.call("distribute", **line(self.sender))
            data, self.sender = unb64(answer["data"]), unb64(answer["record"])
        else:
            data, changes = groups.distribute(records(self.sender), NAME)
            self.sender = after(changes, self.sender)
        # Baileys adds a key that it knows once more, and drops the oldest of more than five with
        # all that it could still open.
        if to == "node" and self.handed_to_baileys < MAX_STATES - 1:
            self.handed_to_baileys += 1
            answer = self.node.call("receive", **line(self.listener, data))
            self.listener = unb64(answer["record"])
        else:
            changes = groups.process_distribution(records(self.listener), NAME, data)
            self.listener = after(changes, self.listener)

    def publish(self, by: Who) -> None:
        """Send the next message."""
        words = b"message %d" % len(self.sent)
        if by == "node":
            answer = self.node.call("publish", **line(self.sender, words))
            data, self.sender = unb64(answer["data"]), unb64(answer["record"])
        else:
            data, changes = groups.encrypt(records(self.sender), NAME, words)
            self.sender = after(changes, self.sender)
        self.sent.append((words, data))

    def receive(self, by: Who, place: int) -> None:
        """Deliver any message, also one that was delivered before."""
        if not self.sent:
            return
        number = place % len(self.sent)
        words, data = self.sent[number]
        theirs = self.theirs(data) if by == "node" else None
        try:
            plaintext, changes = groups.decrypt(records(self.listener), NAME, data)
        except SignalError:
            assert theirs is None
            assert number in self.opened
            return
        assert plaintext == words
        assert number not in self.opened
        self.opened.add(number)
        mine = after(changes, self.listener)
        if theirs is not None:
            assert unb64(theirs["data"]) == words
            assert parse_sender_keys(unb64(theirs["record"])) == parse_sender_keys(mine)
            mine = unb64(theirs["record"])
        self.listener = mine

    def theirs(self, data: bytes) -> dict[str, Any] | None:
        """Open with Baileys; None where it refuses."""
        try:
            return self.node.call("open", **line(self.listener, data))
        except Refused:
            return None


def records(value: bytes | None) -> dict[str, dict[str, Any]]:
    return {} if value is None else {"sender-key": {NAME: value}}


def line(record: bytes | None, data: bytes = b"") -> dict[str, Any]:
    return {"record": record and b64(record), "data": b64(data), "now": 0}


def after(changes: dict[str, dict[str, Any]], before: bytes | None) -> bytes | None:
    value: bytes | None = changes.get("sender-key", {}).get(NAME, before)
    return value


WHO = st.sampled_from(["node", "ours"])
# Signatures cost Node ten milliseconds and more, ours a twentieth of one.
OFTEN_OURS = st.sampled_from(["ours", "ours", "ours", "node"])
STEPS = st.one_of(
    st.tuples(st.just("publish"), OFTEN_OURS),
    st.tuples(st.just("receive"), OFTEN_OURS, st.integers(0, 7)),
    st.tuples(st.just("receive"), OFTEN_OURS, st.just(-1)),
    st.tuples(st.just("distribute"), WHO, WHO),
)


@settings(
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(begin=st.tuples(WHO, WHO), steps=st.lists(STEPS, min_size=4, max_size=16))
def test_whatever_baileys_opens_of_a_group_opens_here(
    node: Node, begin: tuple[Who, Who], steps: list[tuple[Any, ...]]
) -> None:
    group = Group(node)
    group.distribute(*begin)

    for name, *arguments in steps:
        getattr(group, name)(*arguments)

    for number in range(len(group.sent)):
        group.receive("ours", number)
    assert group.opened == set(range(len(group.sent)))
