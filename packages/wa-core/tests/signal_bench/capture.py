"""Write `captured.json`: records as the real Baileys leaves them, and messages that they open.

PYTHONPATH=packages/wa-core/tests python -m signal_bench.capture
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wa_core.crypto.keypair import KeyPair

from signal_bench.device import Device, Libsignal, Sealed
from signal_bench.node import Node, b64, running_node, unb64

CAPTURED = Path(__file__).with_name("captured.json")
NOW = 1_700_000_000_000


def main() -> None:
    """Capture anew."""
    with running_node() as node:
        found = {"ratchets": ratchets(node), "sender-key": sender_key(node)}
    CAPTURED.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def ratchets(node: Node) -> dict[str, Any]:
    """Have two devices talk, both having begun, with messages of five chains still on their way."""
    party, ann, ben = Libsignal(node), Device(11), Device(22)
    late: list[tuple[str, Sealed]] = []
    moment = iter(range(NOW, NOW + 1000))

    def send(one: Device, text: str) -> Sealed:
        step = party.encrypt(one, text.encode(), next(moment))
        one.record = step.record
        return step.kind, step.data

    def deliver(one: Device, sealed: Sealed) -> None:
        step = party.decrypt(one, sealed, next(moment))
        one.record = step.record
        one.pre_keys.pop(step.used_pre_key or 0, None)

    ben.record = party.begin(ben, ann.bundle(one_time=True), next(moment)).record
    ann.record = party.begin(ann, ben.bundle(one_time=True), next(moment)).record
    fresh = ann.record
    for turn in range(5):
        texts = [f"turn {turn}, message {number}" for number in range(4)]
        sealed = [send(ann, text) for text in texts]
        deliver(ben, sealed[2])
        late += [(texts[0], sealed[0]), (texts[3], sealed[3])]
        deliver(ann, send(ben, f"answer {turn}"))
    return {
        "identity": {
            "signedIdentityKey": spelt(ben.pair),
            "signedPreKey": {"keyId": 1, "keyPair": spelt(ben.signed_pre_key)},
            "registrationId": ben.registration_id,
        },
        "record": ben.record,
        "fresh": fresh,
        "late": [[text, kind, b64(data)] for text, (kind, data) in late],
    }


def sender_key(node: Node) -> dict[str, Any]:
    """Have somebody send nine messages to a group, of which a listener has opened four."""
    handed = node.call("distribute", record=None, now=NOW)
    own = handed["record"]
    listener = node.call("receive", record=None, data=handed["data"], now=NOW)["record"]
    sent = []
    for number in range(9):
        text = f"message {number}"
        answer = node.call("publish", record=own, data=b64(text.encode()), now=NOW)
        own = answer["record"]
        sent.append([text, answer["data"]])
    for number in (0, 1, 4, 7):
        answer = node.call("open", record=listener, data=sent[number][1], now=NOW)
        listener = answer["record"]
    late = [sent[number] for number in (2, 3, 5, 6, 8)]
    return {"own": own, "listener": listener, "late": late}


def captured(part: str) -> Any:
    """Read what was captured."""
    return json.loads(CAPTURED.read_text("utf-8"))[part]


def pair_of(value: dict[str, str]) -> KeyPair:
    """Read a key pair of it."""
    return KeyPair(unb64(value["private"]), unb64(value["public"]))


def spelt(pair: KeyPair) -> dict[str, str]:
    return {"private": b64(pair.private), "public": b64(pair.public)}


if __name__ == "__main__":
    main()
