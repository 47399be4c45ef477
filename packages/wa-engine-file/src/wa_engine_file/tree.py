"""The session's folder: walking it, and making changes true in it.

The idea: every step may be done again. So a change that was cut off by a crash or a full disk is
simply made true once more.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import groupby

from wa_core.errors import EngineConfigError

from wa_engine_file.change import Change
from wa_engine_file.contents import Found
from wa_engine_file.crew import each
from wa_engine_file.disk import Disk
from wa_engine_file.keys import CONTROL, OWN_VALUE, SHORT, Spelling

TEMPORARY = f"{CONTROL}/new"
"""Where a file is written before it replaces another; in our own folder, so nobody lists it."""


class Tree:
    """The files below one folder."""

    def __init__(self, disk: Disk, base: str) -> None:
        self._disk = disk
        self.base = base

    def read(self, key_path: str) -> bytes | None:
        """Return a value from the path of its key, or from the folder there; None if it is lost."""
        path = f"{self.base}/{key_path}"
        try:
            return self._disk.read(path)
        except IsADirectoryError:
            path = f"{path}/{OWN_VALUE}"
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            return self._disk.read(path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def read_at(self, path: str) -> bytes:
        """Return the bytes of a file at exactly this path."""
        return self._disk.read(f"{self.base}/{path}")

    def make_true(self, change: Change) -> None:
        """Take the steps of a change; taking them again changes nothing."""
        disk, base, records, steps = self._disk, self.base, change.records, change.steps
        each(lambda path: disk.unlink(f"{base}/{path}"), steps.unlink)
        for level in _deepest_first(steps.drop):
            each(lambda path: disk.drop_folder(f"{base}/{path}"), level)
        for path in steps.make:
            disk.make_folder(f"{base}/{path}")
        for path, key in steps.create:
            record = records[key]
            try:
                disk.create(f"{base}/{path}", record.value, record.facts.at)
            except FileExistsError:
                self._replace(path, record.value, record.facts.at)
        for path, key in steps.replace:
            self._replace(path, records[key].value, records[key].facts.at)

    def sweep(self) -> None:
        """Remove what a crash left of a write that never came to count."""
        self._disk.unlink(f"{self.base}/{TEMPORARY}")

    def walk(self, spelling: Spelling) -> Iterator[Found]:
        """Find every file, with the key that it is the value of, or None if it is spelled as none.

        One folder of each depth is open at a time, so what is kept does not grow with the session.
        """
        skipped, plain = len(self.base) + 1, spelling is Spelling.PLAIN
        listings, prefixes = [os.scandir(self.base)], list[str | None](("",))
        try:
            while listings:
                above = prefixes[-1]
                for entry in listings[-1]:
                    name, key = entry.name, None
                    if above is not None:
                        # Most names are like this: a call for each would cost as much as the disk.
                        ordinary = plain and name.isalnum() and len(name) <= SHORT
                        segment = name if ordinary else spelling.segment(name)
                        key = None if segment is None else above + segment
                    if entry.is_file(follow_symlinks=False):
                        yield key or spelling.key(entry.path[skipped:]), entry
                    elif not entry.is_dir(follow_symlinks=False):
                        raise EngineConfigError(
                            "symlink or device in the store", f"remove ./{entry.path[skipped:]}"
                        )
                    elif len(listings) > 1 or name != CONTROL:
                        # One that a writer removed meanwhile is empty.
                        with suppress(FileNotFoundError, NotADirectoryError):
                            listings.append(os.scandir(entry.path))
                            prefixes.append(None if key is None else key + "/")
                            break
                else:
                    del listings[-1], prefixes[-1]
        finally:
            for listing in listings:
                listing.close()

    def _replace(self, path: str, value: bytes, at: int) -> None:
        temporary = f"{self.base}/{TEMPORARY}"
        try:
            self._disk.create(temporary, value, at)
        except FileExistsError:
            self._disk.unlink(temporary)
            self._disk.create(temporary, value, at)
        self._disk.rename(temporary, f"{self.base}/{path}")


def _deepest_first(folders: Iterable[str]) -> Iterator[list[str]]:
    """Group folders so that none stands before one that lies in it."""
    ordered = sorted(folders, key=_depth, reverse=True)
    return (list(level) for _, level in groupby(ordered, _depth))


def _depth(path: str) -> int:
    return path.count("/")
