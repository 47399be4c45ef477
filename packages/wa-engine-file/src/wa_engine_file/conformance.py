"""Hooks for the conformance suite: damage, silence and a look past the engine.

The suite finds them by the entry point group `wa.conformance`; nothing of it is imported here.
"""

from __future__ import annotations

import os
import shutil
import threading

from wa_core.storage import Durability, Engine, EngineUrl

from wa_engine_file.engine import FileEngine
from wa_engine_file.keys import CONTROL
from wa_engine_file.manifest import FORMAT, NAME
from wa_engine_file.provider import folder_of


class FileHooks:
    """What only somebody who knows the layout can do to a session."""

    def __init__(self) -> None:
        self._stalled: dict[int, threading.Event] = {}

    async def damage(self, engine: Engine, key: str) -> None:
        """Cut the file of a record in half, as a failing disk would."""
        assert isinstance(engine, FileEngine)
        path = engine.path(key)
        os.truncate(path, os.path.getsize(path) // 2)

    async def stall(self, engine: Engine) -> None:
        """Keep the engine's thread busy, as a disk that hangs would."""
        assert isinstance(engine, FileEngine)
        gate = self._stalled[id(engine)] = threading.Event()
        engine.occupy(gate)

    async def resume(self, engine: Engine) -> None:
        """Let the thread go on."""
        self._stalled.pop(id(engine)).set()

    async def residue(self, engine: Engine) -> list[str]:
        """Name every file and folder below the session's folder, but our own folder's fixtures."""
        assert isinstance(engine, FileEngine)
        found = []
        for folder, folders, files in os.walk(engine.folder):
            found += [os.path.join(folder, name) for name in (*folders, *files)]
        ours = os.path.join(engine.folder, CONTROL)
        kept = {ours, *(os.path.join(ours, name) for name in FIXTURES)}
        return sorted(os.path.relpath(path, engine.folder) for path in set(found) - kept)

    async def pretend_newer(self, engine: Engine) -> None:
        """Raise the version in the manifest of a closed engine."""
        assert isinstance(engine, FileEngine)
        path = os.path.join(engine.folder, CONTROL, NAME)
        with open(path, "r+b") as manifest:
            text = manifest.read()
            manifest.seek(0)
            manifest.write(text.replace(b"wa-file %d " % FORMAT, b"wa-file %d " % (FORMAT + 1), 1))

    def forget(self, url: str) -> None:
        """Remove the folder of a session that the suite made and has closed."""
        folder = folder_of(EngineUrl.parse(url))
        if os.path.basename(folder).startswith("conf-"):
            shutil.rmtree(folder, ignore_errors=True)

    def weak_places(self) -> list[tuple[str, Durability]]:
        """Name places that cannot give power durability."""
        if not os.path.isdir(MEMORY):
            return []
        return [(f"file:{MEMORY}/wa-conformance", Durability.PROCESS)]


MEMORY = "/dev/shm"
"""Where Linux mounts a file system in memory."""
FIXTURES = ("lock", "manifest", "journal.0", "journal.1")
