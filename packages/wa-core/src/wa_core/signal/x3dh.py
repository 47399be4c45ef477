"""The first agreement of two devices (X3DH), and the ratchet that begins with it.

Both sides make a ratchet as libsignal does, not as axolotl does: who writes first has a sending
chain and no receiving one, who is written to has none before the first message is opened.
"""

from __future__ import annotations

from typing import Any

from wa_core.crypto.keypair import KeyPair
from wa_core.errors import ForgedBundleError
from wa_core.signal import _axolotl
from wa_core.signal.curve import Dice, agree, generate_key_pair, verify
from wa_core.signal.keys import Bundle, Identity, typed, untyped
from wa_core.signal.primitives import ec_pair, ec_public
from wa_core.signal.ratchets import OPEN, OURS, SENDING, THEIRS, Chain, PendingPreKey, Ratchet


def initiate(identity: Identity, bundle: Bundle, *, now: int, dice: Dice) -> Ratchet:
    """Begin a ratchet with a device from its bundle, whose signature must be good."""
    their_identity, signed = untyped(bundle.identity_key), untyped(bundle.signed_pre_key)
    if not verify(their_identity, typed(signed), bundle.signature):
        raise ForgedBundleError("the signed pre-key is not signed by the identity key beside it")
    base, ours = generate_key_pair(dice), generate_key_pair(dice)
    secrets = [
        agree(identity.key_pair.private, signed),
        agree(base.private, their_identity),
        agree(base.private, signed),
    ]
    if bundle.pre_key is not None:
        secrets.append(agree(base.private, untyped(bundle.pre_key)))
    root, sending = _root_key(secrets).createChain(ec_public(signed), ec_pair(ours))
    return Ratchet(
        base_key=typed(base.public),
        base_key_type=OURS,
        their_identity=typed(their_identity),
        registration_id=bundle.registration_id,
        root_key=bytes(root.getKeyBytes()),
        our_public=typed(ours.public),
        our_private=ours.private,
        their_public=typed(signed),
        previous_counter=0,
        chains={typed(ours.public): Chain(SENDING, -1, bytes(sending.getKey()))},
        pending=PendingPreKey(
            typed(base.public),
            bundle.signed_pre_key_id,
            None if bundle.pre_key is None else bundle.pre_key_id,
        ),
        closed=OPEN,
        used=now,
        created=now,
    )


def respond(
    identity: Identity, message: Any, signed: KeyPair, pre_key: KeyPair | None, *, now: int
) -> Ratchet:
    """Begin the ratchet that a `PreKeyWhisperMessage` asks for."""
    their_identity = message.getIdentityKey().getPublicKey().getPublicKey()
    their_base = message.getBaseKey().getPublicKey()
    secrets = [
        agree(signed.private, their_identity),
        agree(identity.key_pair.private, their_base),
        agree(signed.private, their_base),
    ]
    if pre_key is not None:
        secrets.append(agree(pre_key.private, their_base))
    return Ratchet(
        base_key=typed(their_base),
        base_key_type=THEIRS,
        their_identity=typed(their_identity),
        registration_id=message.getRegistrationId(),
        root_key=bytes(_root_key(secrets).getKeyBytes()),
        our_public=typed(signed.public),
        our_private=signed.private,
        their_public=typed(their_base),
        previous_counter=0,
        chains={},
        pending=None,
        closed=OPEN,
        used=now,
        created=now,
    )


def _root_key(secrets: list[bytes]) -> Any:
    session = _axolotl.RatchetingSession
    master = bytes(session.getDiscontinuityBytes()) + b"".join(secrets)
    return session.calculateDerivedKeys(master).getRootKey()
