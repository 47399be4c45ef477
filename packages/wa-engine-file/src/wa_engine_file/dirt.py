"""Which files and folders were written since they were last synced."""

from __future__ import annotations

from wa_engine_file.change import Steps
from wa_engine_file.disk import MANY, Disk


class Dirt:
    """Collects paths relative to the base, until there are so many that all will be synced."""

    def __init__(self, syncs_all: bool) -> None:
        self._most = MANY if syncs_all else None
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def add(self, steps: Steps) -> None:
        """Note what the steps have touched."""
        if self._most is not None and len(self._files) + len(self._folders) > self._most:
            return
        for path, _ in (*steps.create, *steps.replace):
            self._files.add(path)
            self._folders.add(_parent(path))
        for path in (*steps.unlink, *steps.drop, *steps.make):
            self._folders.add(_parent(path))

    def sync(self, disk: Disk, base: str) -> None:
        """Make all of it survive power loss."""
        files = [f"{base}/{path}" for path in self._files]
        folders = [f"{base}/{path}" if path else base for path in self._folders]
        disk.sync(files, folders, base)


def _parent(path: str) -> str:
    return path.rpartition("/")[0]
