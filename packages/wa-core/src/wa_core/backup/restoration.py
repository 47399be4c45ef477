"""Bringing a session back from an archive: a migration, with what a restore must ask for."""

from __future__ import annotations

from wa_core.errors import UsageError
from wa_core.migrate import REWIND, REWIND_BREAKS, OnConflict, Report, copy
from wa_core.migrate.archives import is_archive_url
from wa_core.migrate.progress import Listener, unheard

__all__ = ["REWIND", "REWIND_BREAKS", "restore"]


async def restore(
    archive: str,
    target: str,
    *,
    rewind: str = "",
    on_conflict: OnConflict | str = OnConflict.REFUSE,
    dry_run: bool = False,
    listener: Listener = unheard,
) -> Report:
    """Bring the session of the archive at a URL back to the URL `target`, and prove it.

    Ratchets and pre-keys stay behind, unless the archive is the last state of its session, or
    `rewind` has the words of `REWIND`: ask for them with `REWIND_BREAKS`. A target that holds
    something else is refused, unless `on_conflict` says otherwise.
    """
    if not is_archive_url(archive):
        raise UsageError("restore takes an archive: URL; wa-migrate moves between stores")
    return await copy(
        archive,
        target,
        rewind=rewind,
        on_conflict=on_conflict,
        dry_run=dry_run,
        listener=listener,
    )
