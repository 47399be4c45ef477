"""The record of a peer's ratchets, exactly as libsignal under Node writes it into `session`.

One idea: these classes say everything that the JSON says, and `rest` keeps what they do not know,
so that a record may go through here and come out as it was. Nothing here computes a key.

Public keys stand here as in the record, with their 0x05. A chain's `counter` is the number of the
last key it gave, and -1 before the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from wa_core.crypto.keypair import KEY_SIZE
from wa_core.signal.fields import Fields, ShapeError, decoded, encoded, laid_over
from wa_core.signal.keys import TYPED_SIZE

VERSION: Final = "v1"
OPEN: Final = -1
"""What `closed` says of a ratchet that is not; else it is the time, in milliseconds."""
OURS: Final = 1
THEIRS: Final = 2
"""Whose base key a ratchet began with: who wrote first."""
SENDING: Final = 1
RECEIVING: Final = 2
MAX_RATCHETS: Final = 40


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain of message keys, with the seeds of those that were skipped."""

    kind: int
    counter: int
    key: bytes | None = field(repr=False)
    """None once the peer went on to another chain: no key follows."""
    seeds: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    rest: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class PendingPreKey:
    """What goes with each message until the peer has answered one."""

    base_key: bytes
    signed_pre_key_id: int
    pre_key_id: int | None
    rest: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Ratchet:
    """One double ratchet with one device of a peer; libsignal's word is session entry."""

    base_key: bytes
    base_key_type: int
    their_identity: bytes
    registration_id: int | None
    root_key: bytes = field(repr=False)
    our_public: bytes
    our_private: bytes = field(repr=False)
    their_public: bytes
    previous_counter: int
    chains: Mapping[bytes, Chain]
    """By the public key that the chain belongs to, oldest first."""
    pending: PendingPreKey | None
    closed: int
    used: int | None
    created: int | None
    rest: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_open(self) -> bool:
        """Whether new messages go out on it."""
        return self.closed == OPEN


@dataclass(frozen=True, slots=True)
class Record:
    """All ratchets with one device; at most one is open."""

    ratchets: Mapping[str, Ratchet] = field(default_factory=dict)
    """By their base keys in base64, oldest first."""
    rest: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def open_ratchet(self) -> Ratchet | None:
        """The one that new messages go out on."""
        return next((ratchet for ratchet in self.ratchets.values() if ratchet.is_open), None)

    @property
    def latest_first(self) -> list[Ratchet]:
        """All of them in the order in which a message is tried."""
        return sorted(self.ratchets.values(), key=lambda ratchet: -(ratchet.used or 0))

    def with_ratchet(self, ratchet: Ratchet) -> Record:
        """Replace the ratchet of the same base key, or add this one; the oldest fall off."""
        ratchets = {**self.ratchets, encoded(ratchet.base_key): ratchet}
        while len(ratchets) > MAX_RATCHETS:
            closed = [name for name, found in ratchets.items() if not found.is_open]
            if not closed:
                break
            del ratchets[min(closed, key=lambda name: ratchets[name].closed)]
        return replace(self, ratchets=ratchets)

    def with_open_closed(self, now: int) -> Record:
        """Close the open ratchet, since another one takes its place."""
        found = self.open_ratchet
        return self if found is None else self.with_ratchet(replace(found, closed=now))


def parse_record(value: object) -> Record:
    """Read a record as `layouts.loads` gives it; `ShapeError` says what is wrong with it.

    One without a version is of an older libsignal, which named the peer's registration id once, at
    the top.
    """
    fields = Fields(value, "session")
    version, common = fields.take("version"), None
    if version is None:
        common = fields.number_if("registrationId")
    elif version != VERSION:
        raise ShapeError("session.version is of a libsignal that came later")
    sessions = fields.take("_sessions")
    if sessions is None:
        return Record({}, fields.rest)
    if not isinstance(sessions, Mapping):
        raise ShapeError("session._sessions is no object")
    ratchets = {name: _parse_ratchet(entry) for name, entry in sessions.items()}
    if common is not None:
        ratchets = {
            name: ratchet if ratchet.registration_id else replace(ratchet, registration_id=common)
            for name, ratchet in ratchets.items()
        }
    return Record(ratchets, fields.rest)


def build_record(record: Record) -> dict[str, Any]:
    """Spell a record as libsignal does."""
    sessions = {name: _build_ratchet(ratchet) for name, ratchet in record.ratchets.items()}
    return laid_over({"_sessions": sessions, "version": VERSION}, record.rest)


def _parse_ratchet(value: object) -> Ratchet:
    fields = Fields(value, "session entry")
    current, index = fields.within("currentRatchet"), fields.within("indexInfo")
    pair = current.within("ephemeralKeyPair")
    chains = fields.take("_chains")
    if not isinstance(chains, Mapping):
        raise ShapeError("session entry._chains is no object")
    pending = fields.take("pendingPreKey")
    return Ratchet(
        base_key=index.octets("baseKey", TYPED_SIZE),
        base_key_type=index.number("baseKeyType"),
        their_identity=index.octets("remoteIdentityKey", TYPED_SIZE),
        registration_id=fields.number_if("registrationId"),
        root_key=current.octets("rootKey", KEY_SIZE),
        our_public=pair.octets("pubKey", TYPED_SIZE),
        our_private=pair.octets("privKey", KEY_SIZE),
        their_public=current.octets("lastRemoteEphemeralKey", TYPED_SIZE),
        previous_counter=current.number("previousCounter"),
        chains={decoded(k, TYPED_SIZE, "_chains"): _parse_chain(c) for k, c in chains.items()},
        pending=None if pending is None else _parse_pending(pending),
        closed=index.number("closed"),
        used=index.number_if("used"),
        created=index.number_if("created"),
        rest=fields.rest,
    )


def _parse_chain(value: object) -> Chain:
    fields = Fields(value, "chain")
    key = fields.within("chainKey")
    seeds = fields.take("messageKeys")
    if not isinstance(seeds, Mapping) or not all(_is_number(index) for index in seeds):
        raise ShapeError("chain.messageKeys is no object of numbered keys")
    return Chain(
        kind=fields.number("chainType"),
        counter=key.number("counter"),
        key=key.octets_if("key", KEY_SIZE),
        seeds={int(index): decoded(s, KEY_SIZE, "messageKeys") for index, s in seeds.items()},
        rest=fields.rest,
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _parse_pending(value: object) -> PendingPreKey:
    fields = Fields(value, "pendingPreKey")
    return PendingPreKey(
        base_key=fields.octets("baseKey", TYPED_SIZE),
        signed_pre_key_id=fields.number("signedKeyId"),
        pre_key_id=fields.number_if("preKeyId"),
        rest=fields.rest,
    )


def _build_ratchet(ratchet: Ratchet) -> dict[str, Any]:
    known: dict[str, Any] = {
        "registrationId": ratchet.registration_id,
        "currentRatchet": {
            "ephemeralKeyPair": {
                "pubKey": encoded(ratchet.our_public),
                "privKey": encoded(ratchet.our_private),
            },
            "lastRemoteEphemeralKey": encoded(ratchet.their_public),
            "previousCounter": ratchet.previous_counter,
            "rootKey": encoded(ratchet.root_key),
        },
        "indexInfo": _present(
            baseKey=encoded(ratchet.base_key),
            baseKeyType=ratchet.base_key_type,
            closed=ratchet.closed,
            used=ratchet.used,
            created=ratchet.created,
            remoteIdentityKey=encoded(ratchet.their_identity),
        ),
        "_chains": {encoded(key): _build_chain(chain) for key, chain in ratchet.chains.items()},
    }
    if ratchet.registration_id is None:
        del known["registrationId"]
    if ratchet.pending is not None:
        known["pendingPreKey"] = _build_pending(ratchet.pending)
    return laid_over(known, ratchet.rest)


def _build_chain(chain: Chain) -> dict[str, Any]:
    key = None if chain.key is None else encoded(chain.key)
    # JavaScript lists numbered names in their order.
    seeds = {str(index): encoded(seed) for index, seed in sorted(chain.seeds.items())}
    known = {
        "chainKey": _present(counter=chain.counter, key=key),
        "chainType": chain.kind,
        "messageKeys": seeds,
    }
    return laid_over(known, chain.rest)


def _build_pending(pending: PendingPreKey) -> dict[str, Any]:
    known = _present(
        signedKeyId=pending.signed_pre_key_id,
        baseKey=encoded(pending.base_key),
        preKeyId=pending.pre_key_id,
    )
    return laid_over(known, pending.rest)


def _present(**fields: Any) -> dict[str, Any]:
    """Leave out what is not there, as `JSON.stringify` does with `undefined`."""
    return {name: value for name, value in fields.items() if value is not None}
