"""A device: its keys, its record of the other one, and three implementations that can step it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from wa_core.crypto.keypair import KeyPair
from wa_core.errors import SignalError
from wa_core.signal import _axolotl, pairwise
from wa_core.signal.conversion import from_axolotl, to_axolotl
from wa_core.signal.curve import generate_key_pair, sign
from wa_core.signal.keys import Bundle, Identity, typed
from wa_core.signal.ratchets import build_record, parse_record

from signal_bench.node import Node, Refused, b64, unb64

Sealed = tuple[str, bytes]
PEER = "peer.0"
SIGNED_PRE_KEY_ID = 1


@dataclass
class Device:
    """What one side has: of records, only the one that the conversation changes."""

    registration_id: int
    pair: KeyPair = field(default_factory=generate_key_pair)
    signed_pre_key: KeyPair = field(default_factory=generate_key_pair)
    pre_keys: dict[int, KeyPair] = field(default_factory=dict)
    record: dict[str, Any] | None = None
    next_pre_key_id: int = 1

    @property
    def identity(self) -> Identity:
        """As ours."""
        signed = {SIGNED_PRE_KEY_ID: self.signed_pre_key}
        return Identity(self.pair, self.registration_id, signed)

    def bundle(self, *, one_time: bool) -> Bundle:
        """What the server gives to whom wants to write first."""
        number, pre_key = None, None
        if one_time:
            number, pre_key = self.next_pre_key_id, generate_key_pair()
            self.pre_keys[number] = pre_key
            self.next_pre_key_id += 1
        return Bundle(
            self.registration_id,
            typed(self.pair.public),
            SIGNED_PRE_KEY_ID,
            typed(self.signed_pre_key.public),
            sign(self.pair.private, typed(self.signed_pre_key.public)),
            number,
            None if pre_key is None else typed(pre_key.public),
        )

    def records(self) -> dict[str, dict[str, Any]]:
        """As `keys.get` gives them."""
        pre_keys = {
            str(number): {"private": pair.private, "public": pair.public}
            for number, pair in self.pre_keys.items()
        }
        session = {} if self.record is None else {PEER: self.record}
        return {"pre-key": pre_keys, "session": session}

    def line(self, **more: Any) -> dict[str, Any]:
        """As the script reads it."""
        return {
            "record": self.record,
            "identity": {
                "signedIdentityKey": _spelt(self.pair),
                "signedPreKey": _spelt(self.signed_pre_key),
                "registrationId": self.registration_id,
            },
            "preKeys": {number: _spelt(pair) for number, pair in self.pre_keys.items()},
            **more,
        }


@dataclass(frozen=True)
class Stepped:
    """What a step gives, and what it would leave behind: nobody has taken it over yet."""

    record: dict[str, Any]
    kind: str = ""
    data: bytes = b""
    used_pre_key: int | None = None


class Libsignal:
    """Baileys' library."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def begin(self, device: Device, bundle: Bundle, now: int) -> Stepped:
        """Begin a ratchet from a bundle."""
        spelt: dict[str, Any] = {
            "registrationId": bundle.registration_id,
            "identityKey": b64(bundle.identity_key),
            "signedPreKey": {
                "keyId": bundle.signed_pre_key_id,
                "publicKey": b64(bundle.signed_pre_key),
                "signature": b64(bundle.signature),
            },
        }
        if bundle.pre_key is not None:
            spelt["preKey"] = {"keyId": bundle.pre_key_id, "publicKey": b64(bundle.pre_key)}
        return Stepped(self._node.call("begin", **device.line(bundle=spelt, now=now))["record"])

    def encrypt(self, device: Device, data: bytes, now: int) -> Stepped:
        """Encrypt."""
        answer = self._node.call("encrypt", **device.line(data=b64(data), now=now))
        return Stepped(answer["record"], answer["kind"], unb64(answer["data"]))

    def decrypt(self, device: Device, sealed: Sealed, now: int) -> Stepped:
        """Decrypt, or raise `Refused`."""
        kind, data = sealed
        answer = self._node.call("decrypt", **device.line(kind=kind, data=b64(data), now=now))
        return Stepped(answer["record"], "", unb64(answer["data"]), answer["used"])


class Ours:
    """`wa_core.signal.pairwise`."""

    def begin(self, device: Device, bundle: Bundle, now: int) -> Stepped:
        """Begin a ratchet from a bundle."""
        _, changes = pairwise.process_bundle(
            device.identity, device.records(), PEER, bundle, now=now
        )
        return Stepped(changes["session"][PEER])

    def encrypt(self, device: Device, data: bytes, now: int) -> Stepped:
        """Encrypt."""
        sealed, changes = pairwise.encrypt(device.identity, device.records(), PEER, data)
        return Stepped(changes["session"][PEER], sealed.kind, sealed.data)

    def decrypt(self, device: Device, sealed: Sealed, now: int) -> Stepped:
        """Decrypt, or raise `SignalError`."""
        kind, data = sealed
        opened, changes = pairwise.decrypt(
            device.identity,
            device.records(),
            PEER,
            "pkmsg" if kind == "pkmsg" else "msg",
            data,
            now=now,
        )
        gone = [int(number) for number in changes.get("pre-key", {})]
        return Stepped(changes["session"][PEER], "", opened.plaintext, gone[0] if gone else None)


class Axolotl:
    """python-axolotl's own cipher, unchanged, on what the conversion makes of a record."""

    def encrypt(self, device: Device, data: bytes, now: int) -> Stepped:
        """Encrypt."""
        message, record = self._step(device, now, lambda cipher: cipher.encrypt(data))
        pre_key = isinstance(message, _axolotl.PreKeyWhisperMessage)
        return Stepped(record, "pkmsg" if pre_key else "msg", message.serialize())

    def decrypt(self, device: Device, sealed: Sealed, now: int) -> Stepped:
        """Decrypt what is no first message."""
        message = _axolotl.WhisperMessage(serialized=sealed[1])
        plaintext, record = self._step(device, now, lambda cipher: cipher.decryptMsg(message))
        return Stepped(record, "", plaintext)

    def _step(
        self, device: Device, now: int, step: Callable[[Any], Any]
    ) -> tuple[Any, dict[str, Any]]:
        before = parse_record(device.record)
        store = _Store(to_axolotl(before, device.identity))
        cipher = _axolotl.SessionCipher(store, None, None, None, PEER, 0)
        result = step(cipher)
        return result, build_record(from_axolotl(store.record, before, now=now))


class _Store:
    def __init__(self, record: Any) -> None:
        self.record = record

    def loadSession(self, recipient: object, device: object) -> Any:
        return self.record

    def storeSession(self, recipient: object, device: object, record: Any) -> None:
        self.record = record

    def containsSession(self, recipient: object, device: object) -> bool:
        return True


REFUSALS = (Refused, SignalError)


def _spelt(pair: KeyPair) -> dict[str, str]:
    return {"private": b64(pair.private), "public": b64(pair.public)}
