"""Looking at backups: one of them, or a folder of them."""

from __future__ import annotations

from wa_core.archive import About, ArchivePlace, Proof, prove
from wa_core.archive.shelf import Listed, listed, rotate
from wa_core.migrate.progress import Listener, Phase, Progress, unheard
from wa_core.storage import EngineUrl


async def verify(archive: str, *, listener: Listener = unheard) -> Proof:
    """Read the archive at a URL from its first byte to its last, or raise what is wrong with it.

    Memory does not grow with its size.
    """
    place = ArchivePlace.of(EngineUrl.parse(archive))
    done = 0

    def heard(records: int) -> None:
        nonlocal done
        done += records
        listener(Progress(Phase.VERIFYING, done))

    return await prove(place.path, await place.secret(), heard=heard)


async def list_backups(folder: str, *, verify: bool = False) -> list[Listed]:
    """List the archives in the folder that an `archive:` URL names, newest first.

    With `verify` each is read whole, else its two ends. What does not open with the key, or is
    damaged, is listed with its error.
    """
    place = ArchivePlace.of(EngineUrl.parse(folder))
    return await listed(place.path, await place.secret(), verify=verify)


async def rotate_backups(folder: str, like: About, *, keep: int) -> list[str]:
    """Remove all but the newest `keep` backups of one session; return the paths of those gone.

    `like` is of one that stays: `list_backups` and `create` return it.
    """
    place = ArchivePlace.of(EngineUrl.parse(folder))
    return await rotate(place.path, await place.secret(), like, keep)
