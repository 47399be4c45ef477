"""A look at a session before it is trusted: what is sound, what is not, and what to do.

Nothing is changed and nothing is sent. Every check leaves a finding, so that a report without
errors shows what was looked at.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from wa_core.crypto import xeddsa
from wa_core.errors import CorruptRecordError
from wa_core.state.auth import AuthState
from wa_core.state.creds import Creds
from wa_core.state.findings import Finding, Report, Severity
from wa_core.state.identity import KEY_TYPE
from wa_core.state.orphans import find_orphans
from wa_core.state.prekeys import KIND as PRE_KEY
from wa_core.state.prekeys import MOST, is_pre_key_id

MAX_SIGNED_PRE_KEY_AGE_S = 30 * 24 * 3600
_ADVICE_LINK = "link the device anew; this identity cannot be used"


async def validate(state: AuthState, *, now: Callable[[], float] = time.time) -> Report:
    """Look at everything that a session stands on."""
    creds = state.creds
    ids = await state.keys.ids(PRE_KEY)
    alive = sorted(int(ident) for ident in ids if is_pre_key_id(ident))
    return Report(
        (
            *_of_creds(creds, now()),
            *_pre_keys(creds, alive),
            await _app_state_key(state, creds.my_app_state_key_id),
            *await _orphans(state),
        )
    )


def _of_creds(creds: Creds, now: float) -> Iterator[Finding]:
    yield _registered(creds)
    yield _me(creds)
    yield _identity_key(creds)
    yield _signed_pre_key(creds)
    yield _age(creds, now)
    yield _signature(creds)


def _registered(creds: Creds) -> Finding:
    if creds.is_linked:
        way = "by pairing code" if creds.registered else "by QR code"
        return Finding("registered", Severity.OK, f"linked {way}")
    if creds.me is not None:
        advice = "enter the pairing code on the phone, or begin the linking again"
        return Finding("registered", Severity.WARNING, "a pairing code is pending", advice)
    return Finding("registered", Severity.WARNING, "no phone is linked", "link a phone")


def _me(creds: Creds) -> Finding:
    if creds.me is None:
        severity = Severity.ERROR if creds.account is not None else Severity.NOTE
        return Finding("me", severity, "it is not known whose device this is", "link a phone")
    if creds.is_linked and ":" not in creds.me.id:
        return Finding("me", Severity.ERROR, "the device number is missing", _ADVICE_LINK)
    if creds.me.lid is None:
        advice = "connect once: the server tells it at login"
        return Finding("me", Severity.NOTE, "the number is known, the LID is not", advice)
    return Finding("me", Severity.OK, "number and LID are known")


def _identity_key(creds: Creds) -> Finding:
    if not creds.signed_identity_key.is_matched():
        found = "its halves do not belong together"
        return Finding("identity key", Severity.ERROR, found, _ADVICE_LINK)
    return Finding("identity key", Severity.OK, "its halves belong together")


def _signed_pre_key(creds: Creds) -> Finding:
    subject = "signed pre-key"
    if not creds.signed_pre_key.key_pair.is_matched():
        return Finding(
            subject,
            Severity.ERROR,
            "its halves do not belong together",
            "rotate the signed pre-key",
        )
    return Finding(subject, Severity.OK, f"number {creds.signed_pre_key.key_id}")


def _age(creds: Creds, now: float) -> Finding:
    subject, made = "signed pre-key age", creds.signed_pre_key.timestamp_s
    if made is None:
        found = "unknown: Baileys does not note it"
        return Finding(subject, Severity.NOTE, found, "rotate it to know from then on")
    days = (now - made) / 86400
    if now - made > MAX_SIGNED_PRE_KEY_AGE_S:
        return Finding(subject, Severity.WARNING, f"{days:.0f} days", "rotate it: 30 days are good")
    if days < -1:
        return Finding(subject, Severity.WARNING, "it is of the future", "set this machine's clock")
    return Finding(subject, Severity.OK, f"{max(days, 0):.0f} days")


def _signature(creds: Creds) -> Finding:
    subject, key = "signed pre-key signature", creds.signed_pre_key
    public = creds.signed_identity_key.public
    if xeddsa.verify(public, KEY_TYPE + key.key_pair.public, key.signature):
        return Finding(subject, Severity.OK, "by the identity key")
    advice = "rotate the signed pre-key: peers refuse this one"
    return Finding(subject, Severity.ERROR, "not by the identity key", advice)


def _pre_keys(creds: Creds, alive: list[int]) -> list[Finding]:
    problems = list(_pre_key_problems(creds, alive))
    fine = f"{len(alive)} alive, the next is {creds.next_pre_key_id}"
    return problems or [Finding("pre-keys", Severity.OK, fine)]


def _pre_key_problems(creds: Creds, alive: list[int]) -> Iterator[Finding]:
    subject = "pre-keys"
    first, following = creds.first_unuploaded_pre_key_id, creds.next_pre_key_id
    if not 1 <= first <= following:
        found = f"the first to offer is {first}, the next to make {following}"
        yield Finding(subject, Severity.ERROR, found, "restore the credentials from a backup")
        return
    if alive and alive[-1] >= following:
        found = f"{alive[-1]} is stored, and the counter says that {following} is the next"
        advice = "offer pre-keys: the counter goes on behind what is stored"
        yield Finding(subject, Severity.ERROR, found, advice)
    stored = set(alive)
    missing = sum(ident not in stored for ident in range(first, min(following, first + MOST)))
    if missing:
        found = f"{missing} that were not offered yet are not stored"
        yield Finding(subject, Severity.WARNING, found, "offer pre-keys: others take their place")
    if len(alive) > MOST:
        found = f"{len(alive)} are alive, more than {MOST}"
        yield Finding(subject, Severity.WARNING, found, "prune them")
    if creds.is_linked and not alive:
        found = "none is stored: a peer's first message that uses one cannot be read"
        yield Finding(subject, Severity.WARNING, found, "offer pre-keys")


async def _app_state_key(state: AuthState, name: str | None) -> Finding:
    subject = "app-state key"
    advice = "connect: the phone sends it after linking, and again when it is asked"
    if name is None:
        severity = Severity.WARNING if state.creds.is_linked else Severity.NOTE
        return Finding(subject, severity, "there is none yet", advice)
    try:
        stored = await state.keys.get("app-state-sync-key", [name])
    except CorruptRecordError:
        return Finding(subject, Severity.ERROR, "its record is damaged", advice)
    if not stored:
        return Finding(subject, Severity.ERROR, "the credentials name one that is absent", advice)
    return Finding(subject, Severity.OK, "it is stored")


async def _orphans(state: AuthState) -> list[Finding]:
    orphans = await find_orphans(state.engine)
    found = [
        Finding("orphans", orphan.severity, f"{count} {orphan.what}", orphan.advice)
        for orphan, count in orphans.items()
    ]
    return found or [Finding("orphans", Severity.OK, "none: every record belongs to something")]
