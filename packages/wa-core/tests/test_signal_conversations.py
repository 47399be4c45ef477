"""Conversations whose records go between Baileys' libsignal and ours at any moment.

Each message is opened from the same record by both. Whatever libsignal opens we must open, to the
same words and to the same record; which of the two records goes on is up to Hypothesis.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from signal_bench.device import REFUSALS, Axolotl, Device, Libsignal, Ours, Sealed, Stepped
from signal_bench.node import Node, running_node

pytestmark = pytest.mark.once

Who = Literal["node", "ours", "axolotl"]


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with running_node() as found:
        yield found


@dataclass
class Conversation:
    """Two devices, and what is on its way to each."""

    node: Node
    now: int = 1_700_000_000_000
    sent: int = 0
    devices: tuple[Device, Device] = field(default_factory=lambda: (Device(1001), Device(2002)))
    pending: tuple[list[tuple[bytes, Sealed]], list[tuple[bytes, Sealed]]] = field(
        default_factory=lambda: ([], [])
    )
    opened: list[tuple[int, Sealed]] = field(default_factory=list)

    def begin(self, side: int, who: Who, one_time: bool) -> None:
        """Fetch the other's bundle and begin anew."""
        device, other = self.devices[side], self.devices[1 - side]
        party = Libsignal(self.node) if who == "node" else Ours()
        device.record = party.begin(device, other.bundle(one_time=one_time), self.now).record

    def send(self, side: int, who: Who) -> None:
        """Encrypt the next message; both implementations make the same bytes."""
        device = self.devices[side]
        if device.record is None and self.pending[side]:
            self.deliver(side, who, 0, False)
        elif device.record is None:
            self.begin(side, who, True)
        words = b"message %d" % self.sent
        self.sent += 1
        theirs = Libsignal(self.node).encrypt(device, words, self.now)
        party = Axolotl() if who == "axolotl" else Ours()
        ours = party.encrypt(device, words, self.now)
        assert ours == theirs
        device.record = (theirs if who == "node" else ours).record
        self.pending[1 - side].append((words, (ours.kind, ours.data)))

    def deliver(self, side: int, who: Who, place: int, keep: bool) -> None:
        """Hand over any of the messages that are on their way; with `keep`, it comes once more."""
        side = side if self.pending[side] else 1 - side
        pending = self.pending[side]
        if not pending:
            return
        words, sealed = pending[place % len(pending)]
        if not keep:
            del pending[place % len(pending)]
        device = self.devices[side]
        theirs, ours = self.both(device, sealed)
        if (side, sealed) in self.opened:
            assert theirs is None
            assert ours is None
            return
        assert theirs is not None
        assert ours is not None
        assert ours.data == theirs.data == words
        assert ours.used_pre_key == theirs.used_pre_key
        spoilt = compare(device.record, ours.record, theirs.record)
        self.opened.append((side, sealed))
        stepped = ours
        if who == "node" and not spoilt:
            stepped = theirs
        elif who == "axolotl" and sealed[0] == "msg":
            stepped = Axolotl().decrypt(device, sealed, self.now)
            assert stepped.data == words
        device.record = stepped.record
        if ours.used_pre_key is not None:
            del device.pre_keys[ours.used_pre_key]

    def both(self, device: Device, sealed: Sealed) -> tuple[Stepped | None, Stepped | None]:
        """Open with each; None of one that refuses."""
        found: list[Stepped | None] = []
        for party in (Libsignal(self.node), Ours()):
            try:
                found.append(party.decrypt(device, sealed, self.now))
            except REFUSALS:
                found.append(None)
        return found[0], found[1]


def compare(before: dict[str, Any] | None, ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Hold two records to be the same but for the dice; tell whether libsignal spoilt a ratchet.

    It changes each ratchet that it tries a message on, and stores those that did not fit as well:
    they can open nothing new any more. Ours are then as they were.
    """
    assert ours["version"] == theirs["version"]
    assert list(ours["_sessions"]) == list(theirs["_sessions"])
    spoilt = False
    for name, mine in ours["_sessions"].items():
        other = theirs["_sessions"][name]
        if without_dice(mine, other) != without_dice(other, mine):
            assert before is not None
            assert mine == before["_sessions"][name]
            spoilt = True
    return spoilt


def without_dice(entry: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Leave out what follows from a key pair that is not the other's."""
    public = entry["currentRatchet"]["ephemeralKeyPair"]["pubKey"]
    if public == other["currentRatchet"]["ephemeralKeyPair"]["pubKey"]:
        return entry
    rolled = {**entry["_chains"][public], "chainKey": None}
    return {
        **entry,
        "currentRatchet": {**entry["currentRatchet"], "ephemeralKeyPair": None, "rootKey": None},
        "_chains": {
            "rolled" if key == public else key: rolled if key == public else chain
            for key, chain in entry["_chains"].items()
        },
    }


SIDES = st.integers(0, 1)
WHO = st.sampled_from(["node", "ours", "axolotl"])
# Mostly answers to what has arrived, so that the ratchets turn; now and then one begins anew.
NAMES = st.sampled_from(["send"] * 6 + ["deliver"] * 6 + ["late"] * 3 + ["begin"])


@st.composite
def one_step(draw: st.DrawFn) -> tuple[Any, ...]:
    name, side, who = draw(NAMES), draw(SIDES), draw(WHO)
    if name == "send":
        return name, side, who
    if name == "begin":
        return name, side, who, draw(st.booleans())
    if name == "late":
        return "deliver", side, who, draw(st.integers(0, 9)), draw(st.booleans())
    return "deliver", side, who, -1, False


@settings(
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(one_step(), min_size=16, max_size=48))
def test_whatever_libsignal_opens_opens_here_to_the_same_record(
    node: Node, steps: list[tuple[Any, ...]]
) -> None:
    talk = Conversation(node)

    for name, *arguments in steps:
        talk.now += 1
        getattr(talk, name)(*arguments)

    for side in (0, 1):
        while talk.pending[side]:
            talk.now += 1
            talk.deliver(side, "ours", -1, False)
