"""Several files as one step, as far as a folder without a journal allows.

The new files are written first, under names of our own, and then a note of what shall become of
them. Once the note is there the step is decided: whoever opens the folder with us after a crash
finishes it. The other library does not read the note; it may find a part, and what it has written
since is left to it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wa_core.errors import CorruptRecordError

from wa_engine_file.disk import Disk

CONTROL = ".wa-layout"
"""Our own folder beside the library's files: the lock, the note, and files not yet in place."""
NOTE = f"{CONTROL}/commit.json"
_NEW = ".new"

Step = tuple[str | None, str]
"""Our name of a new file, or None where one goes; and its path."""


@dataclass(frozen=True, slots=True, repr=False)
class New:
    """What a file shall hold, and its position."""

    value: bytes
    at: int


class Commits:
    """Steps in one folder; `is_ours` tells a path that may be written from any other."""

    def __init__(
        self, disk: Disk, base: str, is_ours: Callable[[str], bool], *, synced: bool
    ) -> None:
        self._disk = disk
        self._base = base
        self._is_ours = is_ours
        self._synced = synced
        self._clean = False

    def make(self, steps: Mapping[str, New | None]) -> None:
        """Put the files that have something new, and remove the others, in their order."""
        if not self._clean:
            self.finish()
        self._clean = False
        planned: list[Step] = []
        for number, (path, new) in enumerate(steps.items()):
            planned.append((None if new is None else f"{number}{_NEW}", path))
            if new is not None:
                self._disk.create(self._own(f"{number}{_NEW}"), new.value, new.at)
        self._sync([self._own(name) for name, _ in planned if name])
        if len(planned) > 1:
            self._note(planned)
        self._take(planned)
        self._clean = True

    @property
    def is_noted(self) -> bool:
        """Tell whether there is a note."""
        return os.path.lexists(f"{self._base}/{NOTE}")

    def finish(self) -> None:
        """Take the steps that a killed writer has left, and drop what it had not decided."""
        if self.is_noted:
            left = self._noted()
            written = os.lstat(f"{self._base}/{NOTE}").st_ctime_ns
            self._take([step for step in left if not self._is_newer(step[1], written)])
        for name in os.listdir(f"{self._base}/{CONTROL}"):
            if name.endswith(_NEW):
                self._disk.unlink(self._own(name))
        self._disk.unlink(f"{self._base}/{NOTE}")
        self._clean = True

    def _own(self, name: str) -> str:
        return f"{self._base}/{CONTROL}/{name}"

    def _note(self, steps: list[Step]) -> None:
        draft = self._own(f"note{_NEW}")
        self._disk.create(draft, json.dumps({"steps": steps}).encode(), 0)
        self._sync([draft])
        self._disk.rename(draft, f"{self._base}/{NOTE}")
        self._sync([f"{self._base}/{CONTROL}"])

    def _noted(self) -> list[Step]:
        try:
            found = json.loads(self._disk.read(f"{self._base}/{NOTE}"))["steps"]
            steps = [(name, path) for name, path in found]
            ours = all(self._is_ours(path) and "/" not in (name or "") for name, path in steps)
        except (ValueError, KeyError, TypeError, AttributeError):
            ours = False
        if not ours:
            raise CorruptRecordError(NOTE, "it is no note of files in this folder")
        return steps

    def _is_newer(self, path: str, noted: int) -> bool:
        """Tell whether somebody has written a file after the note was."""
        try:
            return os.lstat(f"{self._base}/{path}").st_ctime_ns > noted
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _take(self, steps: list[Step]) -> None:
        changed: dict[str, None] = {}
        for name, path in steps:
            if name is None:
                self._disk.unlink(f"{self._base}/{path}")
                changed[self._prune(path)] = None
            elif os.path.lexists(self._own(name)):
                changed.update(dict.fromkeys(self._make_folders(path)))
                self._disk.rename(self._own(name), f"{self._base}/{path}")
        self._sync(list(changed))
        if len(steps) > 1:
            self._disk.unlink(f"{self._base}/{NOTE}")
            # Or it could come back after a power loss, and be finished once more.
            self._sync([f"{self._base}/{CONTROL}"])

    def _make_folders(self, path: str) -> list[str]:
        """Make the folders above a path; return those whose entries may have changed."""
        changed = [self._base]
        for at, letter in enumerate(path):
            if letter == "/":
                changed.append(f"{self._base}/{path[:at]}")
                self._disk.make_folder(changed[-1])
        return changed

    def _prune(self, path: str) -> str:
        """Remove the folders that have become empty; return the lowest that is left."""
        folder = path.rpartition("/")[0]
        while folder and self._disk.drop_folder(f"{self._base}/{folder}"):
            folder = folder.rpartition("/")[0]
        return f"{self._base}/{folder}" if folder else self._base

    def _sync(self, paths: list[str]) -> None:
        if self._synced:
            self._disk.sync(paths, (), self._base)
