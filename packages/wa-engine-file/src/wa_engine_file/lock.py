"""The lock that makes one process the writer of a session [X2].

The kernel keeps it, so it ends with the process however that dies; the text in the file only says
whose it is.
"""

from __future__ import annotations

import fcntl
import os
import socket

from wa_core.errors import EngineBusyError

from wa_engine_file.disk import make_private

NAME = "lock"


class WriterLock:
    """An exclusive lock on a session's folder, held until `release`."""

    def __init__(self, control: str) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._handle: int | None = os.open(f"{control}/{NAME}", flags, 0o600)
        make_private(self._handle)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            holder = os.pread(self._handle, 200, 0).decode(errors="replace").strip()
            self.release()
            raise EngineBusyError(holder or "a process that just opened it") from exc
        try:
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, f"pid {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let the next writer in, also where a child process has inherited the handle."""
        if self._handle is not None:
            fcntl.flock(self._handle, fcntl.LOCK_UN)
            os.close(self._handle)
            self._handle = None
