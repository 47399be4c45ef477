"""`baileys:` and `arcaelas-file:` URLs: from a folder to an engine on it.

`DIR` is the folder that the library was given; where it holds one such folder for each session,
`DIR#name` is one of them.
"""

from __future__ import annotations

import asyncio
import os
from abc import abstractmethod

from wa_core.errors import EngineConfigError, InvalidUrlError
from wa_core.storage import (
    DEFAULT_TIMEOUT_S,
    Capabilities,
    Durability,
    Engine,
    EngineUrl,
    Provider,
)

from wa_engine_file import keys
from wa_engine_file.disk import Disk
from wa_engine_file.doctoring import remove_folder, scratch_folder
from wa_engine_file.faults import file_errors
from wa_engine_file.layouts.arcaelas import NestedFolder, ThreeMethodFolder
from wa_engine_file.layouts.baileys import BaileysFolder
from wa_engine_file.layouts.commit import CONTROL
from wa_engine_file.layouts.engine import CLAIMS, MAX_VALUE, FolderEngine
from wa_engine_file.layouts.folder import Folder
from wa_engine_file.layouts.layout import Layout
from wa_engine_file.lock import WriterLock
from wa_engine_file.places import folds_names
from wa_engine_file.provider import durability_of

_SIGNS = {
    "creds.json": "baileys:DIR",
    "session/creds": "arcaelas-file:DIR",
    "session/creds/index.json": "arcaelas-file:DIR?version=8",
    keys.CONTROL: "file:DIR",
}
"""By what a folder is known, and what opens it."""


class FolderProvider(Provider):
    """What the two layouts share: a folder is found, told from others, and opened."""

    best = Capabilities(
        durability=Durability.POWER, shared=False, max_value=MAX_VALUE, claims=CLAIMS
    )
    signs: tuple[str, ...]
    parameters: tuple[str, ...]

    @abstractmethod
    def layout(self, url: EngineUrl, base: str) -> Layout:
        """Return the spelling that the URL asks for, or that the folder has."""

    async def open(self, url: EngineUrl, *, read_only: bool = False) -> Engine:
        """Open a folder, which is only made by the first write to it."""
        url.refuse_unknown(self.parameters)
        engine = await asyncio.to_thread(self._opened, url, read_only)
        try:
            return await engine.open()
        except BaseException:
            await engine.close()
            raise

    async def list_sessions(self, url: EngineUrl) -> list[str]:
        """Name the folders in a place; the empty name is the place itself."""
        place = _place(url)
        return await asyncio.to_thread(self._sessions, place)

    def absolute(self, url: EngineUrl) -> EngineUrl:
        """Name the folder by its whole path."""
        return url.located(_place(url))

    def scratch(self, url: EngineUrl) -> EngineUrl:
        """Name a folder among the sessions of a place; beside one that is itself a session."""
        return scratch_folder(url, _place(url), self._is_session)

    async def discard(self, url: EngineUrl) -> None:
        """Remove the whole folder."""
        await super().discard(url)
        await asyncio.to_thread(remove_folder, self._base(url), CONTROL)

    def _opened(self, url: EngineUrl, read_only: bool) -> FolderEngine:
        with file_errors():
            base = self._base(url)
            if read_only and not os.path.isdir(base):
                raise EngineConfigError(
                    "nothing to read", "there is no such folder: check the path"
                )
            durability = durability_of(url, _standing(base))
            disk = Disk()
            synced = durability == "power"
            folder = Folder(disk, base, self.layout(url, base), synced=synced)

        def lock() -> WriterLock:
            _make_private_folders(disk, f"{base}/{CONTROL}")
            found = WriterLock(f"{base}/{CONTROL}")
            folder.folds = folds_names(f"{base}/{CONTROL}")
            return found

        return FolderEngine(
            folder,
            lock,
            read_only=read_only,
            durability=durability,
            timeout=url.timeout or DEFAULT_TIMEOUT_S,
        )

    def _base(self, url: EngineUrl) -> str:
        place = _place(url)
        if url.session is not None:
            if url.session in ("", ".", "..") or "/" in url.session:
                raise InvalidUrlError(f"{url.scheme} URL", "#name is the name of a folder in DIR")
            if self._is_session(place):
                raise EngineConfigError("this folder is itself a session", "open it without #")
            return self._checked(f"{place}/{url.session}")
        if not self._is_session(place) and (names := self._sessions(place)):
            shown = ", ".join(names[:5])
            raise EngineConfigError("this folder holds sessions", f"name one with #: {shown}")
        return self._checked(place)

    def _checked(self, base: str) -> str:
        if os.path.lexists(base) and not os.path.isdir(base):
            raise EngineConfigError("this is a file", "name the folder that it lies in")
        for sign, opener in () if self._is_session(base) else _SIGNS.items():
            if sign not in self.signs and os.path.lexists(f"{base}/{sign}"):
                raise EngineConfigError(f"this folder holds {sign}", f"it is opened as {opener}")
        return base

    def _is_session(self, folder: str) -> bool:
        return any(os.path.lexists(f"{folder}/{sign}") for sign in self.signs)

    def _sessions(self, place: str) -> list[str]:
        if self._is_session(place):
            return [""]
        try:
            names = sorted(os.listdir(place))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [name for name in names if self._is_session(f"{place}/{name}")]


class BaileysProvider(FolderProvider):
    """`baileys:DIR`; `?kinds=a,b` names kinds of records that Baileys 7.0.0-rc14 does not have."""

    signs = ("creds.json", "wa-move.json")
    parameters = ("kinds",)

    def layout(self, url: EngineUrl, base: str) -> Layout:
        """Return the one spelling."""
        return BaileysFolder(filter(None, url.params.get("kinds", "").split(",")))


class ArcaelasFileProvider(FolderProvider):
    """`arcaelas-file:DIR`; `?version=2` or `8` where the folder does not tell."""

    signs = ("session/creds", "session/creds/index.json", "wa/move", "wa/move/index.json")
    parameters = ("version",)

    def layout(self, url: EngineUrl, base: str) -> Layout:
        """Return the spelling of the version that was asked for or has written here."""
        nested = any(os.path.isfile(f"{base}/{sign}") for sign in self.signs[1::2])
        plain = any(os.path.isfile(f"{base}/{sign}") for sign in self.signs[::2])
        asked = url.params.get("version", "8" if nested and not plain else "2")
        if asked not in ("2", "8"):
            raise InvalidUrlError("version", "2 or 8, the version of the library")
        if (nested and asked == "2") or (plain and asked == "8"):
            raise EngineConfigError(f"version={asked}", "the folder is of the other version")
        return NestedFolder() if asked == "8" else ThreeMethodFolder()


def _place(url: EngineUrl) -> str:
    if not url.path or "\0" in url.path:
        raise InvalidUrlError(f"{url.scheme} URL", f"it names a folder, as in {url.scheme}:DIR")
    return os.path.realpath(url.path)


def _standing(folder: str) -> str:
    """Return a folder, or the next one above it that is there."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def _make_private_folders(disk: Disk, folder: str) -> None:
    """Make a folder and those above it that are missing; one that is there keeps its mode."""
    standing = _standing(folder)
    for name in filter(None, folder[len(standing) :].split("/")):
        disk.make_folder(f"{standing}/{name}")
        disk.sync_path(standing)
        standing = f"{standing}/{name}"
