"""Which files and folders were written since they were last synced."""

from __future__ import annotations

from collections.abc import Iterator

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
        """Make all of it survive power loss, each folder before those above it.

        One that was removed meanwhile cannot be synced; that its names are gone is sure only when
        it is itself gone for sure, from the folder above.
        """
        lineage = {above for path in self._folders for above in _lineage(path)}
        files = [f"{base}/{path}" for path in sorted(self._files)]
        folders = [
            f"{base}/{path}" for path in sorted(lineage, key=lambda path: (-len(path), path))
        ]
        if files or self._folders:
            disk.sync(files, [*folders, base], base)


def _lineage(path: str) -> Iterator[str]:
    while path:
        yield path
        path = _parent(path)


def _parent(path: str) -> str:
    return path.rpartition("/")[0]
