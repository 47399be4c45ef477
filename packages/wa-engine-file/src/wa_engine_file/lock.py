"""The lock that makes one process the writer of a session [X2].

The kernel keeps it, so it ends with the process however that dies; the text in the file only says
whose it is.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket

from wa_core.errors import EngineBusyError, UnsupportedError

from wa_engine_file.disk import make_private

NAME = "lock"
_KERNELS_LIST = "/proc/locks"
_OWNER = re.compile(r"pid (\d+) on (.+)")


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


def holder_of(control: str) -> str | None:
    """Tell who holds the lock of a session, without touching it: to try it could take it.

    The kernel lists the locks of this machine; what another one holds is not to be known here.
    """
    try:
        handle = os.open(f"{control}/{NAME}", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with open(handle, "rb") as lock:
        owner = _OWNER.fullmatch(lock.read(200).decode(errors="replace").strip())
        inode = os.fstat(handle).st_ino
    if owner is None:
        return None
    if owner[2] != socket.gethostname() or not os.path.exists(_KERNELS_LIST):
        raise UnsupportedError("a look at who holds the lock")
    with open(_KERNELS_LIST, encoding="ascii") as locks:
        held = any(_is_held(line.split(), owner[1], inode) for line in locks)
    return owner[0] if held else None


def _is_held(fields: list[str], pid: str, inode: int) -> bool:
    """Read a line: `1: FLOCK ADVISORY WRITE 4711 fe:00:2983791 0 EOF`."""
    return fields[1:2] == ["FLOCK"] and fields[4] == pid and fields[5].endswith(f":{inode}")
