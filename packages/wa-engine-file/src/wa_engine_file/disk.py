"""The file system, in the few verbs the engine needs.

All writing goes through here, so a test can stand in for the disk: fail its Nth call, or record
what happened and play back every state that a crash could leave. Paths are absolute; nothing
follows a symlink.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import sys
from collections.abc import Callable, Iterable
from typing import BinaryIO

FILE_MODE = 0o600
FOLDER_MODE = 0o700
MANY = 32
"""From this many dirty files on, syncing the whole file system is the cheaper way."""

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Disk:
    """The real file system."""

    @property
    def syncs_all(self) -> bool:
        """Whether a whole file system can be synced in one call."""
        return _syncfs is not None

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            size = os.fstat(handle).st_size
            data = os.read(handle, size + 1)
            while len(data) < size:
                more = os.read(handle, size - len(data))
                if not more:
                    break
                data += more
            return data
        finally:
            os.close(handle)

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading piece by piece."""
        return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")

    def create(self, path: str, data: bytes, at: int) -> None:
        """Write a file that is not there yet, with the modification time `at` in microseconds."""
        handle = os.open(path, _NEW, FILE_MODE)
        try:
            make_private(handle)
            self._fill(handle, data)
            os.utime(handle, ns=(at * 1000, at * 1000))
        finally:
            os.close(handle)

    def open_log(self, path: str) -> int:
        """Open a file for writing at offsets, made when it is missing."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(path, flags, FILE_MODE)
        make_private(handle)
        return handle

    def write_at(self, handle: int, data: bytes, offset: int) -> None:
        """Write all of `data` at `offset` of an open log."""
        view = memoryview(data)
        while view:
            written = os.pwrite(handle, view, offset)
            view, offset = view[written:], offset + written

    def truncate(self, handle: int, size: int) -> None:
        """Cut an open log."""
        os.ftruncate(handle, size)

    def sync_log(self, handle: int) -> None:
        """Make what was written to an open log survive power loss."""
        if sys.platform == "darwin":
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
        else:
            os.fdatasync(handle)

    def rename(self, source: str, target: str) -> None:
        """Put `source` in the place of `target`, atomically."""
        os.rename(source, target)

    def unlink(self, path: str) -> None:
        """Remove a file; one that is not there, or is a folder, is no error."""
        try:
            os.unlink(path)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return
        except PermissionError:
            if not os.path.isdir(path):
                raise

    def make_folder(self, path: str) -> None:
        """Make a folder; one that is there is no error."""
        try:
            os.mkdir(path, FOLDER_MODE)
        except FileExistsError:
            if not os.path.isdir(path) or os.path.islink(path):
                raise
        else:
            if os.lstat(path).st_mode & 0o777 != FOLDER_MODE:
                os.chmod(path, FOLDER_MODE)

    def drop_folder(self, path: str) -> bool:
        """Remove an empty folder; tell whether it is gone."""
        try:
            os.rmdir(path)
        except FileNotFoundError:
            return True
        except OSError as exc:
            if exc.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                return False
            raise
        return True

    def sync(self, files: Iterable[str], folders: Iterable[str], base: str) -> None:
        """Make files and folder entries survive power loss; what is gone needs no sync."""
        paths = [*files, *folders]
        if self.syncs_all and len(paths) > MANY:
            self._sync_all(base)
            return
        for path in paths:
            self.sync_path(path)

    def sync_path(self, path: str) -> None:
        """Sync one file or folder."""
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return
        try:
            if sys.platform == "darwin":
                fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
            else:
                os.fsync(handle)
        finally:
            os.close(handle)

    def _fill(self, handle: int, data: bytes) -> None:
        written = os.write(handle, data)
        while written < len(data):
            written += os.write(handle, memoryview(data)[written:])

    def _sync_all(self, base: str) -> None:
        assert _syncfs is not None
        handle = os.open(base, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if _syncfs(handle) != 0:
                raise OSError(ctypes.get_errno(), "syncfs")
        finally:
            os.close(handle)


def make_private(handle: int) -> None:
    """Give a file its mode where the umask or an older program gave it another."""
    if os.fstat(handle).st_mode & 0o777 != FILE_MODE:
        os.fchmod(handle, FILE_MODE)


def _find_syncfs() -> Callable[[int], int] | None:
    """Return Linux's syncfs, which Python's os module lacks."""
    if not sys.platform.startswith("linux"):
        return None
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    return found


_syncfs = _find_syncfs()
