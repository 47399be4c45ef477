"""Moving a session between any two stores, with proof that all of it arrived.

    report = await copy("file:.baileys#my-bot", "postgres://host/app#my-bot")

The source is held and read, the target filled behind a marker that keeps it shut, both are compared
from fresh connections, and one write decides. At every moment exactly one of the two opens.
"""

from __future__ import annotations

from collections.abc import Iterable

from wa_core.migrate.policy import LEASE_S, PATIENCE_S, OnConflict, Policy
from wa_core.migrate.progress import Listener, Phase, Progress, unheard
from wa_core.migrate.rehearsal import rehearse
from wa_core.migrate.report import Report
from wa_core.migrate.run import Migration
from wa_core.migrate.scope import PARTS, Scope
from wa_core.migrate.side import Side

__all__ = [
    "LEASE_S",
    "PARTS",
    "PATIENCE_S",
    "OnConflict",
    "Phase",
    "Progress",
    "Report",
    "copy",
]


async def copy(
    source: str,
    target: str,
    *,
    only: Iterable[str] = (),
    on_conflict: OnConflict | str = OnConflict.REFUSE,
    keep_source: bool = False,
    takeover: bool = False,
    force: bool = False,
    dry_run: bool = False,
    patience_s: float = PATIENCE_S,
    lease_s: float = LEASE_S,
    listener: Listener = unheard,
) -> Report:
    """Move the session at the URL `source` to the URL `target`.

    With `only` that leaves out the credentials it is a copy of those parts, and the source stays
    the session. Cancelling leaves both sides sound; the same call goes on where it stopped.
    """
    policy = Policy(
        scope=Scope.of(only),
        on_conflict=OnConflict(on_conflict),
        keep_source=keep_source,
        takeover=takeover,
        force=force,
        patience_s=patience_s,
        lease_s=lease_s,
    )
    sides = Side(source), Side(target)
    if dry_run:
        return await rehearse(*sides, policy, listener)
    return await Migration(*sides, policy, listener).run()
