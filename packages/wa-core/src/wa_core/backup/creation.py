"""Taking a backup of a session by its URL, from outside the program that uses it."""

from __future__ import annotations

import time

from wa_core.archive import About, ArchivePlace, Proof, capture
from wa_core.archive.shelf import new_path, remove, rotate
from wa_core.crypto.derivation import STRONG, Cost
from wa_core.errors import NoSessionError, UsageError
from wa_core.migrate.progress import Listener, Phase, Progress, unheard
from wa_core.state.moves import check_openable
from wa_core.storage import EngineUrl, lasting_url, open_engine


async def create(
    source: str,
    archive: str,
    *,
    keep: int | None = None,
    listener: Listener = unheard,
    cost: Cost = STRONG,
) -> Proof:
    """Take a backup of the session at the URL `source`, and prove it from the disk.

    `archive` is `archive:FILE?key=...`, or names a folder: it is there already, or the path ends
    in `/`; then the archive gets a name with its time, and with `keep` only so many stay. The
    session may be used meanwhile; `UnsettledBackupError` if it is used too much.
    """
    place = ArchivePlace.of(EngineUrl.parse(archive))
    in_folder = place.is_folder
    if keep is not None and not in_folder:
        raise UsageError("keep= is for a folder of backups: let the path end in /")
    secret = await place.secret()
    about = About(
        session=EngineUrl.parse(source).session or "",
        source=lasting_url(source),
        taken_at=time.time_ns() // 1000,
    )
    path = await new_path(place.path, about) if in_folder else place.path
    done = 0

    def heard(records: int) -> None:
        nonlocal done
        done += records
        listener(Progress(Phase.COPYING, done))

    async with await open_engine(source, read_only=True) as engine:
        await check_openable(engine)
        if not await engine.count():
            raise NoSessionError
        found = await capture(engine, path, secret, about, cost=cost, heard=heard)
        try:
            # A session that was given away meanwhile may have been half removed.
            await check_openable(engine)
        except BaseException:
            remove([path])
            raise
    if keep is not None:
        await rotate(place.path, secret, about, keep)
    return found
