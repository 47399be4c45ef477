"""`file:` URLs: from a place and a session to an open engine [U2, U3].

`file:PATH` is the folder itself, `file:PATH#name` a folder in it; a place is one or the other.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType

from wa_core.errors import EngineConfigError, InvalidUrlError
from wa_core.storage import (
    DEFAULT_TIMEOUT_S,
    Capabilities,
    Durability,
    Engine,
    EngineUrl,
    Provider,
)
from wa_core.storage.medium import is_in_memory

from wa_engine_file.contents import Contents, MemoryContents
from wa_engine_file.disk import Disk
from wa_engine_file.diskcontents import DiskContents
from wa_engine_file.doctoring import remove_folder, scratch_folder
from wa_engine_file.engine import CLAIMS, MAX_VALUE, FileEngine
from wa_engine_file.faults import file_errors
from wa_engine_file.keys import CONTROL, Spelling
from wa_engine_file.lock import WriterLock
from wa_engine_file.places import (
    folds_names,
    is_session,
    make_base,
    session_folder,
    sessions_in,
)
from wa_engine_file.reader import FileReader, Watch
from wa_engine_file.store import Store

_log = logging.getLogger(__name__)

PARAMETERS = ("adopt", "index", "spelling")
INDEXES: Mapping[str, Callable[[], Contents]] = {"memory": MemoryContents, "disk": DiskContents}
"""Where the index lies: `?index=`."""


class FileProvider(Provider):
    """Opens folders."""

    best = Capabilities(
        durability=Durability.POWER, shared=False, max_value=MAX_VALUE, claims=CLAIMS
    )

    thrifty = MappingProxyType({"index": "disk"})

    async def open(self, url: EngineUrl, *, read_only: bool = False) -> Engine:
        """Open a session's folder as its writer, or beside it for reading."""
        url.refuse_unknown(PARAMETERS)
        if read_only:
            return await asyncio.to_thread(_open_reader, url)
        opening = asyncio.ensure_future(asyncio.to_thread(_open_writer, url))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_give_back)
            raise

    async def list_sessions(self, url: EngineUrl) -> list[str]:
        """Name the sessions in a place; the empty name is the folder itself."""
        return await asyncio.to_thread(sessions_in, _place(url))

    def absolute(self, url: EngineUrl) -> EngineUrl:
        """Name the place by its whole path; where an opener keeps its index is no part of it."""
        kept = {name: value for name, value in url.params.items() if name != "index"}
        return url.located(_place(url)).with_params(kept)

    def scratch(self, url: EngineUrl) -> EngineUrl:
        """Name a folder among the sessions of a place; beside one that is itself a session."""
        return scratch_folder(url, _place(url), is_session)

    async def discard(self, url: EngineUrl) -> None:
        """Remove the whole folder."""
        await super().discard(url)
        await asyncio.to_thread(remove_folder, folder_of(url), CONTROL)


def _give_back(opening: asyncio.Future[FileEngine]) -> None:
    """Release what was opened for a caller that is gone."""
    if not opening.cancelled() and opening.exception() is None:
        threading.Thread(target=opening.result().let_go, name="wa-file-give-back").start()


def _open_reader(url: EngineUrl) -> FileReader:
    base = folder_of(url)
    if not os.path.isdir(base):
        raise EngineConfigError("nothing to read", "there is no such folder: check the path")
    watch = Watch(Disk(), base, _index(url))
    return FileReader(watch, timeout=url.timeout or DEFAULT_TIMEOUT_S)


def _open_writer(url: EngineUrl) -> FileEngine:
    base, disk, empty = folder_of(url), Disk(), _index(url)
    timeout = url.timeout or DEFAULT_TIMEOUT_S
    with file_errors():
        make_base(disk, base)
        durability = durability_of(url, base)
        lock = WriterLock(f"{base}/{CONTROL}")
        try:
            store = Store(
                disk,
                base,
                synced=durability is Durability.POWER,
                spelling=_spelling(url, base),
                adopt=url.flag("adopt"),
                empty=empty,
            )
        except BaseException:
            lock.release()
            raise
    return FileEngine(store, lock, durability=durability, timeout=timeout)


def durability_of(url: EngineUrl, base: str) -> Durability:
    """Choose the level that was asked for, or the strongest that the file system gives [D1, D2]."""
    given = Durability.PROCESS if is_in_memory(base) else Durability.POWER
    asked = url.durability or given
    if asked is Durability.VOLATILE:
        raise EngineConfigError("durability", f"{url.scheme}: offers power and process")
    if asked is Durability.POWER and given is not asked:
        raise EngineConfigError(
            "durability=power", "this file system is in memory: choose a folder on a disk"
        )
    if asked is not Durability.POWER:
        _log.warning("%s: durability is process: power loss may cost the latest changes", url)
    return asked


def _spelling(url: EngineUrl, base: str) -> Spelling | None:
    """Return the spelling that was asked for, or that the file system needs; None for any."""
    asked = url.params.get("spelling")
    if asked is not None:
        if asked not in list(Spelling):
            raise InvalidUrlError("spelling", "plain or safe")
        return Spelling(asked)
    return Spelling.SAFE if folds_names(f"{base}/{CONTROL}") else None


def _index(url: EngineUrl) -> Callable[[], Contents]:
    """Return what makes an empty index of the kind that was asked for."""
    asked = url.params.get("index", "memory")
    if asked not in INDEXES:
        raise InvalidUrlError("index", f"one of {', '.join(INDEXES)}, not {asked!r}")
    return INDEXES[asked]


def _place(url: EngineUrl) -> str:
    if not url.path or "\0" in url.path:
        raise InvalidUrlError("file URL", "it names a folder, as in file:.sessions#my-bot")
    return os.path.realpath(url.path)


def folder_of(url: EngineUrl) -> str:
    """Return the folder of the session that `url` names, made or not."""
    safe = url.params.get("spelling") == Spelling.SAFE
    return session_folder(_place(url), url.session or "", safe=safe)
