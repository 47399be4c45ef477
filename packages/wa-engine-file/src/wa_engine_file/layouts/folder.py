"""One folder in somebody else's layout: what is in it, and a batch made true in it.

Nothing is kept between two calls. The layout has no checksums, so what a file must look like is
all that tells a whole one from half a one.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Sequence

from wa_core.errors import CorruptRecordError, EngineConfigError, UnsupportedError, masked
from wa_core.storage import Operation, PositionClock, Put

from wa_engine_file.disk import Disk
from wa_engine_file.layouts.commit import CONTROL, Commits, New
from wa_engine_file.layouts.layout import Layout

Found = tuple[str, str, int]
"""A key, its path and its position."""


class Folder:
    """The files of one session; `folds` where names that differ in case are one file."""

    def __init__(self, disk: Disk, base: str, layout: Layout, *, synced: bool = True) -> None:
        self.base = base
        self.layout = layout
        self.folds = False
        self._disk = disk
        self._clock = PositionClock()
        self._commits = Commits(disk, base, self._is_ours, synced=synced)

    @property
    def is_unfinished(self) -> bool:
        """Tell whether a batch is decided and not yet made true, by a writer that lives or not."""
        return self._commits.is_noted

    def recover(self) -> None:
        """Finish what a killed writer has left; before the first write."""
        self._commits.finish()
        self._clock.last = max((at for _, _, at in self.walk("")), default=0)

    def read(self, key: str) -> bytes | None:
        """Return a value, None where there is no such file, or raise for one that is damaged."""
        path = self.layout.path(key)
        if path is None:
            return None
        try:
            value = self._disk.read(f"{self.base}/{path}")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except IsADirectoryError:
            if self.layout.nests(key):
                return None
            raise CorruptRecordError(key, "a folder lies in its place") from None
        flaw = self.layout.flaw(key, value)
        if flaw is not None:
            raise CorruptRecordError(key, flaw)
        return value

    def walk(self, prefix: str) -> Iterator[Found]:
        """Go through the files whose keys begin with a prefix."""
        above = prefix.rpartition("/")[0]
        start = self.layout.folder(above) if above else ""
        if start is not None:
            for path, at in self._files(start):
                key = self.layout.key(path)
                if key is not None and key.startswith(prefix):
                    yield key, path, at

    def page(self, prefix: str) -> list[str]:
        """List the keys that begin with a prefix, newest first, ties by key [O2]."""
        return [key for _, key in sorted((-at, key) for key, _, at in self.walk(prefix))]

    def position(self, key: str) -> int | None:
        """Return where a key stands now."""
        path = self.layout.path(key)
        try:
            return None if path is None else _position(os.lstat(f"{self.base}/{path}"))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def apply(self, operations: Sequence[Operation] | None) -> None:
        """Make a batch true, or with None remove every key; refused before anything is written."""
        if operations is None:
            steps: dict[str, New | None] = {path: None for _, path, _ in self.walk("")}
        else:
            for operation in operations:
                if isinstance(operation, Put):
                    self.check_value(operation.key, operation.value)
            steps = self._net(operations)
            self._check_room({path for path, new in steps.items() if new is not None}, steps)
        for path in list(steps):
            stale = self.layout.stale(path)
            if stale is not None and os.path.lexists(f"{self.base}/{stale}"):
                steps[stale] = None
        if steps:
            self._commits.make(steps)

    def check_value(self, key: str, value: bytes) -> None:
        """Raise for a key that has no place here, and for a value that its file cannot have."""
        if self.layout.path(key) is None:
            raise UnsupportedError(
                f"a place for {masked(key)!r} in the layout {self.layout.scheme}"
            )
        flaw = self.layout.flaw(key, value)
        if flaw is not None:
            raise UnsupportedError(f"this value of {masked(key)!r} in its layout: {flaw}")

    def _net(self, operations: Sequence[Operation]) -> dict[str, New | None]:
        """Work out what becomes of each file, in the order of the last word on it."""
        steps: dict[str, New | None] = {}
        for operation in operations:
            if isinstance(operation, Put):
                path = self.layout.path(operation.key)
                assert path is not None, "checked before"
                at = self._clock.next() if operation.at is None else operation.at
                steps.pop(path, None)
                steps[path] = New(operation.value, at)
            else:
                for path in self._under(operation.key, steps):
                    steps.pop(path, None)
                    steps[path] = None
        return steps

    def _under(self, key: str, steps: dict[str, New | None]) -> list[str]:
        """List the files that a cascade removes, those included that the batch has put [C1]."""
        own = self.layout.path(key)
        found = [] if own is None else [own]
        found += [path for _, path, _ in self.walk(f"{key}/")]
        for path, new in steps.items():
            if new is not None and (self.layout.key(path) or "").startswith(f"{key}/"):
                found.append(path)
        there = {path for path in found if os.path.lexists(f"{self.base}/{path}")}
        return [path for path in dict.fromkeys(found) if path in there or path in steps]

    def _check_room(self, new: set[str], steps: dict[str, New | None]) -> None:
        """Refuse a file where a folder must be, and two names that are one file."""
        for path in new:
            for at, letter in enumerate(path):
                above = path[:at]
                if letter == "/" and (above in new or self._stays(above, steps)):
                    raise UnsupportedError("a value and keys below it at the same time")
            if os.path.isdir(f"{self.base}/{path}") and not all(
                steps.get(inner, New(b"", 0)) is None for inner, _ in self._files(path)
            ):
                raise UnsupportedError("a value and keys below it at the same time")
        if self.folds:
            names = {_folded(path): path for path in (path for _, path, _ in self.walk(""))}
            for path in sorted(new):
                if names.setdefault(_folded(path), path) != path:
                    raise UnsupportedError("two names that this file system takes for one")

    def _stays(self, path: str, steps: dict[str, New | None]) -> bool:
        return os.path.isfile(f"{self.base}/{path}") and steps.get(path, New(b"", 0)) is not None

    def _files(self, start: str) -> Iterator[tuple[str, int]]:
        waiting = [start]
        while waiting:
            folder = waiting.pop()
            try:
                entries = sorted(os.scandir(f"{self.base}/{folder}"), key=lambda each: each.name)
            except (FileNotFoundError, NotADirectoryError):
                continue
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    if path != CONTROL:
                        waiting.append(path)
                    continue
                try:
                    yield path, _position(entry.stat(follow_symlinks=False))
                except FileNotFoundError:
                    continue  # removed by the other library since

    def _is_ours(self, path: str) -> bool:
        try:
            return path.endswith("/.order") or path == ".order" or self.layout.key(path) is not None
        except EngineConfigError:
            return False


def _position(found: os.stat_result) -> int:
    return max(0, found.st_mtime_ns // 1000)


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()
