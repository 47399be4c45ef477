"""The floors: what anybody would write with `os` in ten lines, without batches, index or checks.

No event loop, no thread, no object: a floor costs what the system calls cost.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path


class TemporaryThenRename:
    """Write a temporary file and rename it, key by key; synced, if asked, file and folder."""

    def __init__(self, base: Path, *, synced: bool) -> None:
        self._base = str(base)
        self._synced = synced

    def write(self, path: str, value: bytes) -> None:
        """Write one value at a path below the base."""
        folder, _, name = f"{self._base}/{path}".rpartition("/")
        temporary = f"{folder}/.{name}.tmp"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(handle, value)
            if self._synced:
                os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(temporary, f"{folder}/{name}")
        if self._synced:
            sync_folder(folder)

    def make_folder(self, path: str) -> None:
        """Make one folder whose parent is there; its own entry is not synced."""
        os.mkdir(f"{self._base}/{path}", 0o700)

    def make_folders(self, paths: Iterable[str]) -> None:
        """Make folders with all that is above them, before anything is measured."""
        for path in paths:
            os.makedirs(f"{self._base}/{path}", mode=0o700, exist_ok=True)


def sync_folder(folder: str) -> None:
    """Make the entries of a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def walk(folder: str) -> int:
    """Visit every file below a folder and stat it; return how many there are."""
    found, folders = 0, [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    entry.stat(follow_symlinks=False)
                    found += 1
    return found


class FilesFloor:
    """A folder of plain files, read by walking it."""

    def __init__(self, base: Path) -> None:
        self._base = str(base)
        self._files = TemporaryThenRename(base, synced=False)
        self._made: set[str] = set()

    @classmethod
    async def open(cls, url: str, name: str) -> FilesFloor:
        """Make the folder."""
        base = Path(url, f"floor-{name}")
        base.mkdir()
        return cls(base)

    async def put(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        """Write file by file; a folder is made when its first file comes."""
        for key, value in pairs:
            folder = key.rpartition("/")[0]
            if folder not in self._made:
                self._files.make_folders([folder])
                self._made.add(folder)
            self._files.write(key, value)

    async def scan(self) -> int:
        """Read and stat every file, as the folders list them."""
        found, folders = 0, [self._base]
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                        continue
                    handle = os.open(entry.path, os.O_RDONLY)
                    try:
                        size = os.fstat(handle).st_size
                        found += len(os.read(handle, size)) == size
                    finally:
                        os.close(handle)
        return found

    async def close(self) -> None:
        """Nothing stays open."""
