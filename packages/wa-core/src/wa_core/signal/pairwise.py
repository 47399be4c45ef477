"""Messages between two devices: Baileys' records in, the result and the changed records out.

Nothing is read or written here, and a step that fails has changed nothing. Times are milliseconds,
as libsignal's records have them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any

from wa_core.crypto.keypair import KeyPair
from wa_core.errors import (
    KeyUsedError,
    MalformedMessageError,
    NoRatchetError,
    SignalError,
    UndecryptableError,
    UnknownPreKeyError,
)
from wa_core.signal.changes import Changes, Needs, Records, found, ratchets_with
from wa_core.signal.cipher import (
    Kind,
    decrypt_with,
    encrypt_with,
    parse_message,
    parse_pre_key_message,
)
from wa_core.signal.conversion import ratchet_of, state_of
from wa_core.signal.curve import Dice
from wa_core.signal.fields import encoded
from wa_core.signal.keys import Bundle, Identity, key_pair_of, typed
from wa_core.signal.ratchets import OURS, Ratchet, Record, build_record
from wa_core.signal.x3dh import initiate, respond

SESSION = "session"
PRE_KEY = "pre-key"
IDENTITY_KEY = "identity-key"


@dataclass(frozen=True, slots=True)
class Encrypted:
    """A message as it goes on the wire."""

    kind: Kind
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Decrypted:
    """A message as it was written, and whether its sender's identity is another than before."""

    plaintext: bytes = field(repr=False)
    identity_changed: bool = False


def process_bundle(
    identity: Identity,
    records: Records,
    address: str,
    bundle: Bundle,
    *,
    now: int,
    dice: Dice = os.urandom,
) -> tuple[bool, Changes]:
    """Begin a ratchet with a device; tell whether its identity is another than before.

    It needs the records `session` and `identity-key` of the address.
    """
    ratchet = initiate(identity, bundle, now=now, dice=dice)
    record = ratchets_with(records, address).with_open_closed(now).with_ratchet(ratchet)
    changed, changes = _seen(records, address, ratchet.their_identity)
    return changed, _with_record(changes, address, record)


def encrypt(
    identity: Identity, records: Records, address: str, plaintext: bytes
) -> tuple[Encrypted, Changes]:
    """Encrypt on the open ratchet; it needs the record `session` of the address.

    Store the changes before the message leaves: a key that is used twice is no secret any more.
    """
    record = ratchets_with(records, address)
    ratchet = record.open_ratchet
    if ratchet is None or ratchet.our_public not in ratchet.chains:
        raise NoRatchetError("no open ratchet with this device: fetch its bundle")
    state = state_of(ratchet, identity, only=())
    kind, data = encrypt_with(state, plaintext)
    after = record.with_ratchet(ratchet_of(state, ratchet))
    return Encrypted(kind, data), _with_record({}, address, after)


def needs(address: str, kind: Kind, data: bytes) -> Needs:
    """Name the records that `decrypt` looks at."""
    if kind == "msg":
        return {SESSION: [address]}
    pre_key_id = parse_pre_key_message(data).getPreKeyId()
    pre_keys = {PRE_KEY: [str(pre_key_id)]} if pre_key_id else {}
    return {SESSION: [address], IDENTITY_KEY: [address], **pre_keys}


def decrypt(
    identity: Identity,
    records: Records,
    address: str,
    kind: Kind,
    data: bytes,
    *,
    now: int,
    dice: Dice = os.urandom,
) -> tuple[Decrypted, Changes]:
    """Decrypt a message of either kind; `needs` names its records."""
    open_it = _decrypt_first if kind == "pkmsg" else _decrypt_next
    return open_it(identity, records, address, data, now, dice)


def _decrypt_next(
    identity: Identity, records: Records, address: str, data: bytes, now: int, dice: Dice
) -> tuple[Decrypted, Changes]:
    record = ratchets_with(records, address)
    if not record.ratchets:
        raise NoRatchetError("no ratchet with this device: ask for the message again")
    message, used = parse_message(data), None
    for ratchet in record.latest_first:
        try:
            plaintext, stepped = _step(identity, ratchet, message, dice)
        except KeyUsedError as refusal:
            used = refusal
            continue
        except SignalError:
            continue
        after = record.with_ratchet(replace(stepped, used=now))
        return Decrypted(plaintext), _with_record({}, address, after)
    raise used or UndecryptableError(f"none of {len(record.ratchets)} ratchets opens this message")


def _decrypt_first(
    identity: Identity, records: Records, address: str, data: bytes, now: int, dice: Dice
) -> tuple[Decrypted, Changes]:
    outer = parse_pre_key_message(data)
    record = ratchets_with(records, address)
    changed, changes = _seen(records, address, outer.getIdentityKey().serialize())
    ratchet = record.ratchets.get(encoded(typed(outer.getBaseKey().getPublicKey())))
    if ratchet is None:
        signed, pre_key = _pre_keys(identity, records, outer)
        ratchet = respond(identity, outer, signed, pre_key, now=now)
        record = record.with_open_closed(now)
        if pre_key is not None:
            changes[PRE_KEY] = {str(outer.getPreKeyId()): None}
    elif ratchet.base_key_type == OURS:
        raise MalformedMessageError("the message begins with a key of ours")
    plaintext, stepped = _step(identity, ratchet, outer.getWhisperMessage(), dice)
    after = _with_record(changes, address, record.with_ratchet(stepped))
    return Decrypted(plaintext, changed), after


def _step(identity: Identity, ratchet: Ratchet, message: Any, dice: Dice) -> tuple[bytes, Ratchet]:
    theirs = message.getSenderRatchetKey().serialize()
    state = state_of(ratchet, identity, only=(theirs, ratchet.their_public))
    plaintext = decrypt_with(state, message, dice)
    return plaintext, ratchet_of(state, ratchet)


def _pre_keys(identity: Identity, records: Records, message: Any) -> tuple[KeyPair, KeyPair | None]:
    signed = identity.signed_pre_keys.get(message.getSignedPreKeyId())
    if signed is None:
        raise UnknownPreKeyError("the message is for a signed pre-key that was replaced")
    # libsignal counts them from 1, and reads 0 and nothing alike.
    pre_key_id = message.getPreKeyId()
    if not pre_key_id:
        return signed, None
    value = found(records, PRE_KEY, str(pre_key_id))
    if value is None:
        raise UnknownPreKeyError(f"the message is for pre-key {pre_key_id}, which is not here")
    return signed, key_pair_of(value)


def _seen(records: Records, address: str, their_identity: bytes) -> tuple[bool, Changes]:
    """Compare an identity with the last one that was seen; WhatsApp's clients trust the new one."""
    known = found(records, IDENTITY_KEY, address)
    if known == their_identity:
        return False, {}
    return known is not None, {IDENTITY_KEY: {address: their_identity}}


def _with_record(changes: Changes, address: str, record: Record) -> Changes:
    return {**changes, SESSION: {address: build_record(record)}}
