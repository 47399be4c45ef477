"""`archive:FILE?key=...`: the file of an archive, and where its key is kept [U2]."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from wa_core.archive.engine import TIMEOUT_S, ArchiveEngine, MovingArchive
from wa_core.archive.header import MAGIC
from wa_core.archive.offloop import off_loop
from wa_core.archive.place import disk_errors
from wa_core.archive.reader import ArchiveReader
from wa_core.crypto.derivation import Secret
from wa_core.crypto.keysource import KeySource
from wa_core.errors import EngineConfigError, InvalidUrlError, KeyUnavailableError, UsageError
from wa_core.storage import Engine, EngineUrl, Provider

SCHEME = "archive"
PARAMETERS = ("key",)
_NO_KEY = "say where it is: archive:FILE?key=env:NAME, key=file:PATH or key=keyring:SERVICE/NAME"


@dataclass(frozen=True, slots=True)
class ArchivePlace:
    """What an `archive:` URL says."""

    path: str
    source: KeySource | None = field(repr=False)
    timeout: float
    is_folder: bool
    """It names a folder of archives."""

    @classmethod
    def of(cls, url: EngineUrl) -> ArchivePlace:
        """Understand a URL, or raise `InvalidUrlError`."""
        url.refuse_unknown(PARAMETERS)
        if url.session is not None:
            raise InvalidUrlError("archive URL", "one archive, one session: leave out #")
        if not url.path:
            raise InvalidUrlError("archive URL", "it names no file, as in archive:FILE")
        key = url.params.get("key")
        source = None if key is None else KeySource.parse(key, name="key")
        is_folder = url.path.endswith("/") or os.path.isdir(url.path)
        return cls(os.path.abspath(url.path), source, url.timeout or TIMEOUT_S, is_folder)

    async def secret(self) -> Secret:
        """Fetch the key."""
        if self.source is None:
            raise KeyUnavailableError("the URL", _NO_KEY)
        return await self.source.load()


async def open_archive(
    path: str, secret: Secret, *, timeout: float = TIMEOUT_S, moving: bool = False
) -> ArchiveEngine:
    """Open an archive for reading; with `moving`, also for the marker of a move."""
    reader = await off_loop(lambda: ArchiveReader(path, secret), undo=ArchiveReader.close)
    return (MovingArchive if moving else ArchiveEngine)(reader, timeout=timeout)


class ArchiveProvider(Provider):
    """Opens archives for reading."""

    async def open(self, url: EngineUrl, *, read_only: bool = False) -> Engine:
        """Open an archive; what writes one is no engine."""
        place = ArchivePlace.of(url)
        if not read_only:
            raise UsageError(
                "an archive is written whole and never changed: `wa backup create` takes one of a "
                "session, `wa-migrate --to archive:FILE` moves a session into one"
            )
        return await open_archive(place.path, await place.secret(), timeout=place.timeout)

    async def list_sessions(self, url: EngineUrl) -> list[str]:
        """Name the one session, which is the file itself."""
        path = ArchivePlace.of(url).path
        return [""] if await off_loop(lambda: is_archive(path)) else []

    def absolute(self, url: EngineUrl) -> EngineUrl:
        """Name the file by its whole path."""
        return url.located(os.path.abspath(url.path))


def is_archive(path: str) -> bool:
    """Tell whether a file begins like an archive."""
    try:
        if not os.path.isfile(path):
            return False
        with disk_errors(), open(path, "rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except EngineConfigError:
        return False
