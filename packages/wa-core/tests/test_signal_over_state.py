"""The steps over an auth state in an engine, as the documentation shows them."""

from __future__ import annotations

from wa_core.signal import groups, pairwise
from wa_core.signal.curve import sign
from wa_core.signal.keys import Bundle, Identity, typed
from wa_core.state import AuthState
from wa_core.storage import open_engine

ANN, BEN, GROUP = "100000000000001_1.0", "100000000000002_1.0", "1@g.us::100000000000001_1::0"
NOW = 1_700_000_000_000


def identity_of(state: AuthState) -> Identity:
    creds, signed = state.creds, state.creds.signed_pre_key
    return Identity(
        creds.signed_identity_key, creds.registration_id, {signed.key_id: signed.key_pair}
    )


async def test_two_states_talk_and_what_they_said_survives_their_closing() -> None:
    async with (
        await open_engine("memory:ann-over-state") as ann_engine,
        await open_engine("memory:ben-over-state") as ben_engine,
    ):
        async with (
            await AuthState.open(ann_engine, create=True) as ann,
            await AuthState.open(ben_engine, create=True) as ben,
        ):
            theirs = identity_of(ben)
            signed = ben.creds.signed_pre_key
            bundle = Bundle(
                theirs.registration_id,
                theirs.key_pair.public,
                signed.key_id,
                signed.key_pair.public,
                sign(theirs.key_pair.private, typed(signed.key_pair.public)),
            )
            async with ann.transaction(BEN):
                _, changes = pairwise.process_bundle(identity_of(ann), {}, BEN, bundle, now=NOW)
                await ann.keys.set(changes)
                distribution, changes = groups.distribute({}, GROUP)
                await ann.keys.set(changes)

        async with (
            await AuthState.open(ann_engine) as ann,
            await AuthState.open(ben_engine) as ben,
        ):
            first = await sent(ann, distribution)
            handed = await opened(ben, first)
            taken = groups.process_distribution(
                {"sender-key": await ben.keys.get("sender-key", [GROUP])}, GROUP, handed
            )
            await ben.keys.set(taken)
            records = {"sender-key": await ann.keys.get("sender-key", [GROUP])}
            message, changes = groups.encrypt(records, GROUP, b"to all")
            await ann.keys.set(changes)
            listening = {"sender-key": await ben.keys.get("sender-key", [GROUP])}
            heard, _ = groups.decrypt(listening, GROUP, message)

    assert handed == distribution
    assert heard == b"to all"


async def sent(state: AuthState, plaintext: bytes) -> pairwise.Encrypted:
    async with state.transaction(BEN):
        records = {"session": await state.keys.get("session", [BEN])}
        message, changes = pairwise.encrypt(identity_of(state), records, BEN, plaintext)
        await state.keys.set(changes)
    return message


async def opened(state: AuthState, message: pairwise.Encrypted) -> bytes:
    async with state.transaction(ANN):
        wanted = pairwise.needs(ANN, message.kind, message.data)
        records = {kind: await state.keys.get(kind, ids) for kind, ids in wanted.items()}
        found, changes = pairwise.decrypt(
            identity_of(state), records, ANN, message.kind, message.data, now=NOW
        )
        await state.keys.set(changes)
    return found.plaintext
