"""Writing an archive: under another name until every byte of it is on the disk.

All of it is synchronous and runs in a thread. Records come in the order of their keys, which is
what lets a reader find one, and see that none comes twice, without holding the others.
"""

from __future__ import annotations

import fcntl
import io
import os

from wa_core.archive.closable import Closable
from wa_core.archive.frames import MAX_VALUE, About, End, FrameCipher, Sum, record_of
from wa_core.archive.header import Header
from wa_core.archive.place import disk_errors, sync_folder
from wa_core.crypto.derivation import STRONG, Cost, Secret
from wa_core.errors import EngineBusyError, UsageError, ValueTooLargeError
from wa_core.storage import Entry

PARTIAL = ".partial"
"""What a file is called that is being written; one that stays behind is of no use."""
_BUFFER = 1024 * 1024


class ArchiveWriter(Closable):
    """One archive on its way; leaving the context without `finish` removes it."""

    def __init__(
        self,
        path: str,
        secret: Secret,
        about: About,
        *,
        cost: Cost = STRONG,
        replaces: bool = False,
    ) -> None:
        self._path = path
        self._replaces = replaces
        self._last = ""
        self._count = 0
        self._sum = Sum()
        self.size = 0
        """The bytes of all keys and values."""
        self._check_free()
        unlocked = Header.fresh(secret, cost).begin(secret)
        self._cipher = FrameCipher(unlocked.frame_key, unlocked.data)
        with disk_errors():
            raw = io.FileIO(_own_file(path + PARTIAL), "wb")
            self._file = io.BufferedWriter(raw, _BUFFER)
            try:
                self._file.write(unlocked.data)
                self._seal(0, about.to_bytes())
            except BaseException:
                self.close()
                raise

    @property
    def count(self) -> int:
        """How many records were added."""
        return self._count

    def add(self, entry: Entry) -> None:
        """Add a record; its key comes behind all before."""
        if entry.key <= self._last:
            raise UsageError("records of an archive come in the order of their keys, each once")
        if len(entry.value) > MAX_VALUE:
            raise ValueTooLargeError(len(entry.value), MAX_VALUE)
        self._last = entry.key
        self._count += 1
        self.size += len(entry.key.encode()) + len(entry.value)
        with disk_errors():
            self._seal(self._count, record_of(entry))

    def flush(self) -> None:
        """Let the disk have what was added so far."""
        with disk_errors():
            self._file.flush()

    def finish(self) -> str:
        """Make the archive durable under its own name; return its digest in hex."""
        digest = self._sum.digest()
        with disk_errors():
            self._file.write(self._cipher.seal_end(End(self._count, digest)))
            self.flush()
            os.fsync(self._file.fileno())
            self._check_free()
            os.rename(self._path + PARTIAL, self._path)
            # Behind the rename: whoever waits for the lock must not find the old name free.
            self._file.close()
            sync_folder(self._path)
        return digest.hex()

    def close(self) -> None:
        """Give up what is not finished: it is removed."""
        if not self._file.closed:
            with disk_errors():
                os.unlink(self._path + PARTIAL)
                os.ftruncate(self._file.fileno(), 0)
                self._file.detach().close()

    def _seal(self, number: int, plain: bytes) -> None:
        self._sum.add(plain)
        self._file.write(self._cipher.seal(number, plain))

    def _check_free(self) -> None:
        if not self._replaces and os.path.lexists(self._path):
            raise UsageError(f"{self._path!r} is there already: an archive is never written over")


def _own_file(path: str) -> int:
    """Open a file that nobody else writes; a dead writer's is taken over."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        handle = os.open(path, flags, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(handle, path):
                os.fchmod(handle, 0o600)
                os.ftruncate(handle, 0)
                return handle
        except BlockingIOError:
            os.close(handle)
            raise EngineBusyError("somebody who writes this very archive") from None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _is_at(handle: int, path: str) -> bool:
    """Tell whether an open file still has its name: its writer may have just ended."""
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except FileNotFoundError:
        return False
