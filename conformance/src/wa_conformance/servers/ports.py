"""A loopback port that nobody else takes: also not between two lives of one server.

A server that is killed and started again needs its port back. So ports come from below the range
that systems give to outgoing connections, and a lock file keeps our own processes apart.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import IO

LOOPBACK = "127.0.0.1"
BUS_DISTANCE = 10_000
"""A Redis Cluster node listens on this much above its port, too."""

_LOWEST, _HIGHEST = 11_000, 21_999
_TRIES = 200


class Port:
    """A port number, ours until `release` or the end of the process."""

    def __init__(self, number: int, lock: IO[str]) -> None:
        self.number = number
        self._lock = lock

    def release(self) -> None:
        """Let others have it."""
        self._lock.close()


def free_port() -> Port:
    """Reserve a port on which, and on whose bus port, nothing listens."""
    dice = random.SystemRandom()
    folder = Path(tempfile.gettempdir()) / f"wa-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else")
    for _ in range(_TRIES):
        number = dice.randint(_LOWEST, _HIGHEST)
        lock = (folder / str(number)).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _bind(number)
            _bind(number + BUS_DISTANCE)
        except OSError:
            lock.close()
            continue
        return Port(number, lock)
    raise OSError(f"no free port between {_LOWEST} and {_HIGHEST}")


def _bind(number: int) -> None:
    with socket.socket() as probe:
        # As servers do it: what only lingers after its end is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, number))
