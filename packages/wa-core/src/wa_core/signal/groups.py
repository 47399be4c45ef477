"""Messages to a group: one sender key for all of its devices, Baileys' records in and out.

A record is found by `<group>::<user>::<device>` of who sends. Baileys leaves out every other key of
its own chain, which we allow and do not do, and cannot open messages out of order, which we do.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from wa_core.crypto.keypair import KEY_SIZE
from wa_core.errors import (
    CorruptRecordError,
    KeyUsedError,
    MalformedMessageError,
    NoRatchetError,
    UndecryptableError,
)
from wa_core.signal import _axolotl
from wa_core.signal.changes import Changes, Needs, Records, found
from wa_core.signal.curve import Dice, generate_key_pair, sign, verify
from wa_core.signal.fields import ShapeError
from wa_core.signal.keys import typed, untyped
from wa_core.signal.primitives import MAX_SKIPPED, ec_public, parsed, unsealed
from wa_core.signal.senderkeys import (
    MAX_STATES,
    SenderKey,
    build_sender_keys,
    parse_sender_keys,
)
from wa_core.storage.layouts import key_of

SENDER_KEY = "sender-key"
_SIGNATURE_SIZE = 64


def needs(name: str) -> Needs:
    """Name the record that every step of a sender looks at."""
    return {SENDER_KEY: [name]}


def distribute(records: Records, name: str, *, dice: Dice = os.urandom) -> tuple[bytes, Changes]:
    """Give what opens our messages from here on; make our sender key if there is none."""
    states, changes = _read(records, name), Changes()
    if not states:
        states = (_minted(dice),)
        changes = _written(name, states)
    own = states[-1]
    message = _axolotl.SenderKeyDistributionMessage(
        own.key_id, own.iteration, own.chain_key, ec_public(own.signing_public)
    )
    return bytes(message.serialize()), changes


def process_distribution(records: Records, name: str, data: bytes) -> Changes:
    """Take what somebody distributed; a key that is known stays as far as it has come."""
    message = parsed(_axolotl.SenderKeyDistributionMessage, data)
    public = message.getSignatureKey().getPublicKey()
    if len(public) != KEY_SIZE or len(message.getChainKey()) != KEY_SIZE:
        raise MalformedMessageError("a key in the message has not the size of one")
    states = _read(records, name)
    news = SenderKey(
        key_id=message.getId(),
        iteration=message.getIteration(),
        chain_key=bytes(message.getChainKey()),
        signing_public=typed(public),
        signing_private=None,
    )
    if any(
        (old.key_id, old.signing_public) == (news.key_id, news.signing_public) for old in states
    ):
        return {}
    return _written(name, (*states, news)[-MAX_STATES:])


def encrypt(
    records: Records, name: str, plaintext: bytes, *, dice: Dice = os.urandom
) -> tuple[bytes, Changes]:
    """Encrypt with our sender key, which `distribute` has made; store before you send."""
    states = _read(records, name)
    if not states or states[-1].signing_private is None:
        raise NoRatchetError("no sender key of ours for this group: distribute one")
    own = states[-1]
    chain = _axolotl.SenderChainKey(own.iteration, own.chain_key)
    key = chain.getSenderMessageKey()
    data = _signed(own, key, plaintext, dice)
    return data, _written(name, (*states[:-1], _at(own, chain.getNext())))


def decrypt(records: Records, name: str, data: bytes) -> tuple[bytes, Changes]:
    """Decrypt what the owner of a sender key sent to the group."""
    message = parsed(_axolotl.SenderKeyMessage, data)
    states = _read(records, name)
    # Two keys of one number: the signature tells.
    signed, signature = data[:-_SIGNATURE_SIZE], data[-_SIGNATURE_SIZE:]
    candidates = [state for state in states if state.key_id == message.getKeyId()]
    if not candidates:
        raise NoRatchetError("no sender key for this message: ask its sender for it")
    for state in candidates:
        if verify(untyped(state.signing_public), signed, signature):
            key, stepped = _step(state, message.getIteration())
            plaintext = unsealed(key.getCipherKey(), key.getIv(), message.getCipherText())
            after = tuple(stepped if other is state else other for other in states)
            return plaintext, _written(name, after)
    raise UndecryptableError("the message is not signed by the owner of its sender key")


def _read(records: Records, name: str) -> tuple[SenderKey, ...]:
    value = found(records, SENDER_KEY, name)
    if value is None:
        return ()
    try:
        return parse_sender_keys(value)
    except ShapeError as exc:
        raise CorruptRecordError(key_of(SENDER_KEY, name), str(exc)) from None


def _written(name: str, states: tuple[SenderKey, ...]) -> Changes:
    return {SENDER_KEY: {name: build_sender_keys(states)}}


def _minted(dice: Dice) -> SenderKey:
    signing = generate_key_pair(dice)
    return SenderKey(
        # As Baileys and axolotl choose it: 31 bits.
        key_id=int.from_bytes(dice(4), "big") >> 1,
        iteration=0,
        chain_key=dice(KEY_SIZE),
        signing_public=typed(signing.public),
        signing_private=signing.private,
    )


def _signed(own: SenderKey, key: Any, plaintext: bytes, dice: Dice) -> bytes:
    """Spell a message; axolotl's own class would roll the dice of the signature itself."""
    sealed = _axolotl.AESCipher(key.getCipherKey(), key.getIv()).encrypt(plaintext)
    fields = _axolotl.SenderKeyFields(
        id=own.key_id, iteration=key.getIteration(), ciphertext=sealed
    )
    unsigned = b"\x33" + bytes(fields.SerializeToString())
    return unsigned + sign(own.signing_private or b"", unsigned, dice)


def _step(state: SenderKey, iteration: int) -> tuple[Any, SenderKey]:
    """Take the key of a message, and keep the seeds of those before it."""
    seeds = dict(state.seeds)
    if iteration < state.iteration:
        seed = seeds.pop(iteration, None)
        if seed is None:
            raise KeyUsedError("this message was opened before, or came before its sender key")
        return _axolotl.SenderMessageKey(iteration, seed), replace(state, seeds=seeds)
    if iteration - state.iteration > MAX_SKIPPED:
        raise UndecryptableError(f"over {MAX_SKIPPED} messages are missing before this one")
    chain = _axolotl.SenderChainKey(state.iteration, state.chain_key)
    while chain.getIteration() < iteration:
        seeds[chain.getIteration()] = bytes(chain.getSenderMessageKey().getSeed())
        chain = chain.getNext()
    return chain.getSenderMessageKey(), _at(replace(state, seeds=seeds), chain.getNext())


def _at(state: SenderKey, chain: Any) -> SenderKey:
    return replace(state, iteration=chain.getIteration(), chain_key=bytes(chain.getSeed()))
