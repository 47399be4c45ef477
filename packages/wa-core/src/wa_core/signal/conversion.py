"""Ratchets as libsignal's records and as python-axolotl's states, both ways and without loss.

axolotl counts the key that comes next where libsignal counts the one that came last, and it keeps
what it derives from the seed of a skipped key where libsignal keeps the seed. A seed cannot be
computed back, but the chain key before the step gives it again: so `ratchet_of` takes the ratchet
as it was, walks from its keys to those of the state, and keeps the seeds it passes. What axolotl
has no room for comes from there as well: times, chains beyond its five, fields of later versions.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from typing import Any

from wa_core.crypto.keypair import KeyPair
from wa_core.errors import UsageError
from wa_core.signal import _axolotl
from wa_core.signal.fields import encoded
from wa_core.signal.keys import Identity, clamped, typed, untyped
from wa_core.signal.primitives import (
    chain_key,
    ec_pair,
    ec_public,
    root_key,
    secrets_of,
    seed_of,
)
from wa_core.signal.ratchets import OPEN, RECEIVING, SENDING, Chain, Ratchet, Record

_PROTOCOL_VERSION = 3


def to_axolotl(record: Record, identity: Identity) -> Any:
    """Make axolotl's `SessionRecord`: the open ratchet, if any, is its current state."""
    found = record.open_ratchet
    made = _axolotl.SessionRecord(
        _axolotl.SessionState() if found is None else state_of(found, identity)
    )
    others = (ratchet for ratchet in record.latest_first if ratchet is not found)
    made.getPreviousSessionStates().extend(state_of(ratchet, identity) for ratchet in others)
    return made


def from_axolotl(stepped: Any, before: Record, *, now: int) -> Record:
    """Make the record of what `to_axolotl` made of `before` and axolotl stepped since.

    Call it after each message that axolotl opened: over two turns of a ratchet the seeds of keys
    that were skipped between them are lost. A state that axolotl put aside is closed at `now`.
    """
    after, was_open = before, before.open_ratchet
    current = stepped.getSessionState()
    for state in (current, *stepped.getPreviousSessionStates()):
        base_key = state.getAliceBaseKey()
        if not base_key:
            continue
        known = before.ratchets.get(encoded(base_key))
        if known is None:
            raise UsageError("this state is of no ratchet of the record: x3dh makes new ones")
        ratchet = ratchet_of(state, known)
        if state is current:
            ratchet = replace(ratchet, closed=OPEN)
        elif known is was_open:
            ratchet = replace(ratchet, closed=now)
        after = after.with_ratchet(ratchet)
    return after


def state_of(ratchet: Ratchet, identity: Identity, *, only: Container[bytes] | None = None) -> Any:
    """Make axolotl's `SessionState`, with `only` those chains that a step looks at.

    A ratchet that has talked for long has thousands, for libsignal never drops one.
    """
    state = _axolotl.SessionState()
    into = state.getStructure()
    into.sessionVersion = _PROTOCOL_VERSION
    into.localIdentityPublic = typed(identity.key_pair.public)
    into.localRegistrationId = identity.registration_id
    into.remoteIdentityPublic = ratchet.their_identity
    into.remoteRegistrationId = ratchet.registration_id or 0
    into.aliceBaseKey = ratchet.base_key
    into.rootKey = ratchet.root_key
    # libsignal writes -1 after a chain that gave no key; axolotl never goes below 0.
    into.previousCounter = max(ratchet.previous_counter, 0)
    into.senderChain.senderRatchetKey = ratchet.our_public
    into.senderChain.senderRatchetKeyPrivate = clamped(ratchet.our_private)
    sending = ratchet.chains.get(ratchet.our_public)
    if sending is not None and sending.kind == SENDING:
        _fill(into.senderChain, sending)
    for public, chain in _newest_last(ratchet):
        if only is not None and public not in only:
            continue
        receiving = into.receiverChains.add(senderRatchetKey=public)
        _fill(receiving, chain)
        for index, seed in chain.seeds.items():
            keep(receiving, index, seed)
    if ratchet.pending is not None:
        into.pendingPreKey.baseKey = ratchet.pending.base_key
        into.pendingPreKey.signedPreKeyId = ratchet.pending.signed_pre_key_id
        if ratchet.pending.pre_key_id:
            into.pendingPreKey.preKeyId = ratchet.pending.pre_key_id
    return state


def ratchet_of(state: Any, before: Ratchet) -> Ratchet:
    """Make the ratchet that `before` has become: at most one turn lies between the two."""
    found = state.getStructure()
    our_public = bytes(found.senderChain.senderRatchetKey)
    turned = our_public != before.our_public
    chains = dict(before.chains)
    if turned:
        chains.pop(before.our_public, None)
    their_public = before.their_public
    for receiving in found.receiverChains:
        public = bytes(receiving.senderRatchetKey)
        if public not in chains:
            their_public = public
        chains[public] = _received(receiving, chains.get(public), before)
    if found.senderChain.HasField("chainKey"):
        chains[our_public] = _sent(found.senderChain, chains.get(our_public))
    previous = found.previousCounter
    private = bytes(found.senderChain.senderRatchetKeyPrivate)
    return replace(
        before,
        root_key=bytes(found.rootKey),
        our_public=our_public,
        our_private=private if turned else before.our_private,
        their_public=their_public,
        previous_counter=previous if turned else before.previous_counter,
        chains=chains,
        pending=before.pending if found.HasField("pendingPreKey") else None,
    )


def keep(receiving: Any, index: int, seed: bytes) -> None:
    """Add the key of a skipped message to a chain of axolotl's."""
    derived = secrets_of(seed)
    receiving.messageKeys.add(
        index=index,
        cipherKey=derived.getCipherKey(),
        macKey=derived.getMacKey(),
        iv=derived.getIv(),
    )


def _newest_last(ratchet: Ratchet) -> Iterable[tuple[bytes, Chain]]:
    found = {key: chain for key, chain in ratchet.chains.items() if chain.kind == RECEIVING}
    newest = found.pop(ratchet.their_public, None)
    yield from found.items()
    if newest is not None:
        yield ratchet.their_public, newest


def _fill(into: Any, chain: Chain) -> None:
    into.chainKey.index = chain.counter + 1
    if chain.key is not None:
        into.chainKey.key = chain.key


def _sent(sending: Any, before: Chain | None) -> Chain:
    counter, key = sending.chainKey.index - 1, bytes(sending.chainKey.key)
    if before is None:
        return Chain(SENDING, counter, key)
    return replace(before, counter=counter, key=key or None)


def _received(receiving: Any, before: Chain | None, ratchet: Ratchet) -> Chain:
    index, key = receiving.chainKey.index, bytes(receiving.chainKey.key) or None
    wanted = {found.index for found in receiving.messageKeys}
    if before is None:
        seeds = _first_seeds(bytes(receiving.senderRatchetKey), wanted, index, key, ratchet)
        return Chain(RECEIVING, index - 1, key, seeds)
    seeds = {number: seed for number, seed in before.seeds.items() if number in wanted}
    if wanted - seeds.keys() and before.key is not None:
        start = chain_key(before.key, before.counter + 1)
        seeds |= _passed(start, wanted - seeds.keys(), index, key)
    _complete(seeds, wanted)
    return replace(before, counter=index - 1, key=key, seeds=seeds)


def _first_seeds(
    public: bytes, wanted: set[int], index: int, key: bytes | None, ratchet: Ratchet
) -> Mapping[int, bytes]:
    """Find the seeds of a chain that began since, from the root key that it came from."""
    if not wanted:
        return {}
    ours = ec_pair(KeyPair(ratchet.our_private, untyped(ratchet.our_public)))
    _, start = root_key(ratchet.root_key).createChain(ec_public(public), ours)
    seeds = _passed(start, wanted, index, key)
    _complete(seeds, wanted)
    return seeds


def _passed(start: Any, wanted: set[int], index: int, key: bytes | None) -> dict[int, bytes]:
    """Walk a chain from `start` to `index`, and return the seeds of those keys it passes."""
    seeds = {}
    while start.getIndex() < index:
        if start.getIndex() in wanted:
            seeds[start.getIndex()] = seed_of(start)
        start = start.getNextChainKey()
    if key is not None and bytes(start.getKey()) != key:
        raise UsageError("more than one turn since the record was converted: its seeds are lost")
    return seeds


def _complete(seeds: Mapping[int, bytes], wanted: set[int]) -> None:
    if wanted - seeds.keys():
        raise UsageError("the state has skipped keys whose seeds the record before cannot give")
