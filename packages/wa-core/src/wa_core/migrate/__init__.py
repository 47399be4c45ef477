"""Moving a session between any two stores, with proof that all of it arrived.

    report = await copy("file:.baileys#my-bot", "postgres://host/app#my-bot")

The source is held and read, the target filled behind a marker that keeps it shut, both are compared
from fresh connections, and one write decides. At every moment exactly one of the two opens.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import TypedDict, Unpack

from wa_core.errors import WaError
from wa_core.migrate.abandon import NOTHING, Abandonment
from wa_core.migrate.archives import (
    REWIND,
    REWIND_BREAKS,
    Restoration,
    is_archive_url,
    new_archive,
    old_archive,
)
from wa_core.migrate.checking import Findings, Mark, Teller, compare_records
from wa_core.migrate.policy import LEASE_S, PATIENCE_S, OnConflict, Policy
from wa_core.migrate.progress import Listener, Phase, Progress, unheard
from wa_core.migrate.rehearsal import rehearse
from wa_core.migrate.report import Report
from wa_core.migrate.run import Migration
from wa_core.migrate.scope import PARTS, Scope
from wa_core.migrate.sessions import Outcome, Pair, pairs_of
from wa_core.migrate.side import Side

__all__ = [
    "LEASE_S",
    "NOTHING",
    "PARTS",
    "PATIENCE_S",
    "REWIND",
    "REWIND_BREAKS",
    "Findings",
    "Listener",
    "Mark",
    "OnConflict",
    "Outcome",
    "Pair",
    "Phase",
    "Progress",
    "Report",
    "Switches",
    "abandon",
    "check",
    "copy",
    "copy_all",
    "pairs_of",
]


class Switches(TypedDict, total=False):
    """What `copy` can be asked for; each has a default."""

    only: Iterable[str]
    """Parts instead of everything: `auth`, `contacts`, `chats`."""
    on_conflict: OnConflict | str
    keep_source: bool
    takeover: bool
    force: bool
    dry_run: bool
    rewind: str
    """The words that let ratchets of an ordinary archive come back: `REWIND`."""
    patience_s: float
    lease_s: float
    listener: Listener


async def copy(source: str, target: str, **switches: Unpack[Switches]) -> Report:
    """Move the session at the URL `source` to the URL `target`.

    With `only` that leaves out the credentials it is a copy of those parts, and the source stays
    the session. Cancelling leaves both sides sound; the same call goes on where it stopped.
    """
    listener = switches.get("listener", unheard)
    policy = Policy(
        scope=Scope.of(switches.get("only", ())),
        on_conflict=OnConflict.of(switches.get("on_conflict", OnConflict.REFUSE)),
        keep_source=switches.get("keep_source", False),
        takeover=switches.get("takeover", False),
        force=switches.get("force", False),
        patience_s=switches.get("patience_s", PATIENCE_S),
        lease_s=switches.get("lease_s", LEASE_S),
    )
    mine, its = Side(source), Side(target)
    run: type[Migration] = Migration
    if is_archive_url(source):
        mine = await old_archive(source, switches.get("rewind", ""), listener)
        # An archive is kept; with a marker beside it, once it was the session's last state.
        policy = replace(policy, keep_source=policy.scope.is_move)
        run = Migration if mine.is_last else Restoration
    if is_archive_url(target):
        its = new_archive(target, mine, policy)
    if switches.get("dry_run", False):
        return await rehearse(mine, its, policy, listener)
    return await run(mine, its, policy, listener).run()


async def copy_all(pairs: Iterable[Pair], **switches: Unpack[Switches]) -> AsyncIterator[Outcome]:
    """Move session after session; what fails keeps none of the others back."""
    for pair in pairs:
        try:
            yield Outcome(pair, await copy(pair.source, pair.target, **switches))
        except WaError as exc:
            yield Outcome(pair, None, exc)


async def abandon(
    source: str,
    target: str,
    *,
    source_lost: bool = False,
    dry_run: bool = False,
    patience_s: float = PATIENCE_S,
    lease_s: float = LEASE_S,
    listener: Listener = unheard,
) -> Report:
    """End a move that was begun and not decided: the source stays, what arrived is removed.

    With `source_lost`, a target that is complete becomes the session instead. Raise
    `MoveStandsError` where that would lose the session, or make two of it.
    """
    policy = Policy(patience_s=patience_s, lease_s=lease_s)
    abandonment = Abandonment(Side(source), Side(target), policy, listener)
    if source_lost:
        return await abandonment.keep_target(dry_run=dry_run)
    return await abandonment.give_up(dry_run=dry_run)


async def check(
    source: str,
    target: str,
    *,
    only: Iterable[str] = (),
    quick: bool = False,
    tell: Teller,
    listener: Listener = unheard,
) -> Findings:
    """Compare two stores record by record; `tell` is called with a mark and a key for each."""
    sides = Side(source), Side(target)
    return await compare_records(*sides, Scope.of(only), quick=quick, tell=tell, listener=listener)
