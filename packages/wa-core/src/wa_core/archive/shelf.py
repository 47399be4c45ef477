"""A folder of archives: what they are called, what is there, and which may go.

Nothing is believed of a name. What is ours begins like an archive and opens with our key;
everything else in the folder is left alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from wa_core.archive.frames import About
from wa_core.archive.offloop import off_loop
from wa_core.archive.place import MARKER, disk_errors, sync_folder
from wa_core.archive.proof import prove
from wa_core.archive.provider import is_archive
from wa_core.archive.reader import ArchiveReader
from wa_core.archive.writer import PARTIAL
from wa_core.crypto.derivation import Secret
from wa_core.errors import UsageError, WaError

SUFFIX = ".wa-archive"
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One archive of a folder."""

    path: str
    file_size: int
    about: About | None = None
    """What it says of itself; None where it does not open."""
    records: int = 0
    moved: bool = False
    """A marker lies beside it: it is the side of a move."""
    verified: bool | None = None
    """Whether all of it was read and is sound; None where only its two ends were looked at."""
    error: WaError | None = None
    """Why it does not open, or is not sound."""


def file_name(session: str, taken_at: int) -> str:
    """Name an archive by its session and its time, so that names sort by age."""
    name = quote(session, safe=" @+") or "session"
    if len(name) > _LONGEST_NAME:
        name = f"{name[:_LONGEST_NAME]}-{hashlib.sha256(session.encode()).hexdigest()[:8]}"
    moment = datetime.fromtimestamp(taken_at / 1e6, UTC)
    return f"{name}-{moment:%Y%m%dT%H%M%S.%f}Z{SUFFIX}"


async def new_path(folder: str, about: About) -> str:
    """Name an archive that is about to be taken, in a folder that is made if need be."""

    def make() -> None:
        with disk_errors():
            os.makedirs(folder, mode=0o700, exist_ok=True)

    await off_loop(make)
    return os.path.join(folder, file_name(about.session, about.taken_at))


async def listed(folder: str, secret: Secret, *, verify: bool = False) -> list[Listed]:
    """List the archives of a folder, newest first; with `verify`, each is read whole.

    What does not open is listed with its error, behind the others.
    """
    paths = await off_loop(lambda: list(_archives(folder)))
    found = [await _looked_at(path, secret, verify) for path in paths]
    return sorted(found, key=lambda each: (-_age(each), each.path))


async def rotate(folder: str, secret: Secret, like: About, keep: int) -> list[str]:
    """Remove all but the newest `keep` backups of one session; return the paths of those.

    Never what does not open with this key, never the last state of a session, and never the newest
    one that is proven sound, however many newer ones there are.
    """
    if keep < 1:
        raise UsageError("at least one backup is kept")
    await off_loop(lambda: _sweep(folder))
    ours = [each for each in await listed(folder, secret) if _is_backup_of(each, like)]
    if len(ours) <= keep:
        return []
    sound = await _newest_sound(ours, secret)
    gone = [each.path for each in ours[keep:] if sound is not None and each.path != sound]
    await off_loop(lambda: remove(gone))
    return gone


async def _newest_sound(ours: list[Listed], secret: Secret) -> str | None:
    for each in ours:
        with suppress(WaError):
            await prove(each.path, secret)
            return each.path
    return None


async def _looked_at(path: str, secret: Secret, verify: bool) -> Listed:
    size = 0
    about: About | None = None
    records = 0
    try:
        with disk_errors():
            size = os.stat(path).st_size
        with await off_loop(
            lambda: ArchiveReader(path, secret), undo=ArchiveReader.close
        ) as reader:
            about, records = reader.about, reader.end.count
        if verify:
            await prove(path, secret)
        error, verified = None, True if verify else None
    except WaError as exc:
        error, verified = exc, False
    return Listed(
        path=path,
        file_size=size,
        about=about,
        records=records,
        moved=os.path.lexists(path + MARKER),
        verified=verified,
        error=error,
    )


def _age(each: Listed) -> int:
    return -1 if each.about is None else each.about.taken_at


def _is_backup_of(each: Listed, like: About) -> bool:
    about = each.about
    return (
        about is not None
        and not about.last_state
        and not each.moved
        and (about.session, about.source) == (like.session, like.source)
    )


def _archives(folder: str) -> Iterator[str]:
    with disk_errors():
        names = sorted(os.listdir(folder))
    for name in names:
        path = os.path.join(folder, name)
        if not name.endswith((PARTIAL, MARKER)) and is_archive(path):
            yield path


def remove(paths: list[str]) -> None:
    """Remove archives; one that is gone already is no error."""
    with disk_errors():
        for path in paths:
            with suppress(FileNotFoundError):
                os.unlink(path)
                sync_folder(path)


def _sweep(folder: str) -> None:
    """Remove what writers left that died; a living one holds a lock on its own."""
    with disk_errors():
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            if not name.endswith(SUFFIX + PARTIAL) or not is_archive(path):
                continue
            with suppress(FileNotFoundError, BlockingIOError), open(path, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)
