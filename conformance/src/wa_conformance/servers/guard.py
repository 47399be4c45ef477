"""The program that stands between a test and its server, so that no server outlives its test.

It starts the server, says its process id, and waits: for the server's end, or for the end of who
started it, however that came (`kill -9` too: the pipe closes, and we get another parent). Then
it kills the server with all that it started and removes its folder. Run by path, without
site-packages: it imports nothing of this package.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
from typing import Any

_PR_SET_PDEATHSIG = 1
_GLANCE_S = 1.0

ORPHANED = threading.Event()
"""From here on the server's end is not the end: its folder is still to be removed."""


def main(text: str) -> None:
    """Keep the server that the description names."""
    parent = os.getppid()
    spec: dict[str, Any] = json.loads(text)
    try:
        server = start(spec)
    except OSError as exc:
        print(f"error {exc}", flush=True)
        os._exit(1)
    print(f"pid {server.pid}", flush=True)
    threading.Thread(target=end_with, args=(server,), daemon=True).start()
    wait_for_orphanhood(parent)
    ORPHANED.set()
    # PostgreSQL cleans its shared memory up when it is told to quit; nobody minds the signal twice.
    for number in (signal.SIGCONT, spec["last_signal"]):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, number)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(3)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    shutil.rmtree(spec["folder"], ignore_errors=True)
    os._exit(1)


def start(spec: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Start the server, in its own folder, session and log."""
    with open(spec["log"], "ab") as log:
        return subprocess.Popen(
            spec["command"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=spec["folder"],
            env={**os.environ, **spec["environment"]},
            user=spec["user"],
            group=spec["group"],
            extra_groups=None if spec["user"] is None else [],
            start_new_session=True,
            preexec_fn=die_with_me,
        )


def die_with_me() -> None:
    """Ask the kernel to kill the server with this program, where a kernel can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def end_with(server: subprocess.Popen[bytes]) -> None:
    """End this program as soon as the server has ended."""
    code = server.wait()
    if not ORPHANED.is_set():
        os._exit(code if code >= 0 else 128 - code)


def wait_for_orphanhood(parent: int) -> None:
    """Return when the process that started this one is gone."""
    while os.getppid() == parent:
        # A pipe alone would not do: a fork of the parent may hold its other end, and live.
        readable, _, _ = select.select([sys.stdin], [], [], _GLANCE_S)
        if readable and not os.read(sys.stdin.fileno(), 1):
            return


if __name__ == "__main__":
    main(sys.argv[1])
