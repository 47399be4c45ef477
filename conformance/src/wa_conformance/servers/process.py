"""One server process: its folder, its port, its log, its life and its deaths.

The process runs under `guard`, which ends when it ends; so the guard's end is the server's end, and
a server that is killed is dead when `kill` returns.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from wa_conformance.servers import guard
from wa_conformance.servers.binaries import Product, Program, find_program, library_path
from wa_conformance.servers.errors import ServerStartError
from wa_conformance.servers.family import descendants, lives, stands
from wa_conformance.servers.ports import free_port

START_S = 60.0
STOP_S = 10.0
_GLANCE_S = 0.02
_LOG_TAIL = 3000
_TRIES = 3

FOLDER_VARIABLE = "WA_SERVER_DIR"
"""Names the place for the folders of servers. One in memory will do for tests: what survives the
kill of a server is the same there, and nothing waits for a disk."""

Settings = Mapping[str, object]
"""Options of the server by name: None takes a default of ours out, a list repeats the option."""


class Process(ABC):
    """A server of one process, started from a program."""

    product: ClassVar[Product]
    defaults: ClassVar[Settings] = {}
    last_signal: ClassVar[signal.Signals] = signal.SIGKILL
    """What ends it for good; its data are thrown away afterwards."""
    polite_signal: ClassVar[signal.Signals] = signal.SIGTERM
    needs_a_user: ClassVar[bool] = False
    """It refuses to run as root, and gets another user then."""

    def __init__(self, *, version: str | None = None, settings: Settings | None = None) -> None:
        merged = {**self.defaults, **(settings or {})}
        self._settings = {name: value for name, value in merged.items() if value is not None}
        self._user = pwd.getpwnam("nobody") if self.needs_a_user and os.getuid() == 0 else None
        uid = self._user.pw_uid if self._user else None
        self._program: Program = find_program(self.product, version, uid)
        self._port = free_port()
        self._guard: subprocess.Popen[bytes] | None = None
        self._pid = 0
        place = os.environ.get(FOLDER_VARIABLE) or None
        self.folder = Path(tempfile.mkdtemp(prefix=f"wa-{self.product.kind}-", dir=place))
        self._environment = {**library_path(self._program.libraries, self._own("lib"))}
        self._owner = os.getpid()
        atexit.register(self._at_exit)

    @property
    def version(self) -> str:
        """The version that the program says it has."""
        return self._program.version

    @property
    def origin(self) -> str:
        """The program and its version, for people."""
        return f"{self.version} ({self._program.path})"

    @property
    def port(self) -> int:
        """Its port on the loopback address, the same for life."""
        return self._port.number

    @property
    def data(self) -> Path:
        """The folder of its data."""
        return self.folder / "data"

    @property
    def log(self) -> str:
        """The end of what it said."""
        path = self.folder / "log"
        return path.read_text(errors="replace")[-_LOG_TAIL:] if path.exists() else ""

    @property
    def pids(self) -> list[int]:
        """The process ids of the server and of all that it started, itself first."""
        return [self._pid, *descendants(self._pid)] if self.runs else []

    @property
    def runs(self) -> bool:
        """Whether it is there, be it stopped."""
        return self._guard is not None and self._guard.poll() is None

    def start(self) -> None:
        """Start it, and return when it answers."""
        self.launch()
        self.await_ready()

    def launch(self) -> None:
        """Start it; `await_ready` then waits."""
        if not self.data.exists():
            self.prepare(self._own("data"))
        user = self._user
        spec = {
            "command": [str(word) for word in self.command()],
            "environment": self._environment,
            "folder": str(self.folder),
            "log": str(self.folder / "log"),
            "last_signal": int(self.last_signal),
            "user": user.pw_uid if user else None,
            "group": user.pw_gid if user else None,
        }
        self._guard = subprocess.Popen(
            (sys.executable, "-I", "-S", guard.__file__, json.dumps(spec)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._guard.stdout is not None
        word, _, rest = self._guard.stdout.readline().decode().strip().partition(" ")
        if word != "pid":
            raise ServerStartError(self.product.kind, f"does not start: {rest}", self.log)
        self._pid = int(rest)

    def await_ready(self) -> None:
        """Wait until it answers; one that ends or stays silent is an error with its log."""
        deadline = time.monotonic() + START_S
        while not self._answers():
            if not self.runs:
                raise ServerStartError(self.product.kind, "ended at once", self.log)
            if time.monotonic() > deadline:
                self.kill()
                raise ServerStartError(self.product.kind, f"is silent for {START_S} s", self.log)
            time.sleep(_GLANCE_S)

    def kill(self) -> None:
        """End it and all its processes as a power cut of its machine would; data stay."""
        family = self._signal(signal.SIGKILL)
        self._await_end()
        while any(map(lives, family)):
            time.sleep(_GLANCE_S)

    def end(self) -> None:
        """End it politely; data stay."""
        self._signal(signal.SIGCONT)
        if self.runs:
            _send(self._pid, self.polite_signal)
        self._await_end()

    def restart(self) -> None:
        """Start it again on the same port and data; if it runs, end it politely before."""
        self.end()
        self.start()

    def pause(self) -> None:
        """Stop it (SIGSTOP): connections stay, and nothing answers."""
        # A signal is underway for a moment, and a process that was being forked has missed it.
        while not all(map(stands, self._signal(signal.SIGSTOP))):
            time.sleep(_GLANCE_S)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it for good, with its folder; a second call does nothing."""
        self._signal(signal.SIGCONT)
        if self.runs:
            _send(self._pid, self.last_signal)
        self._await_end()
        self._port.release()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self._at_exit)

    @abstractmethod
    def command(self) -> Sequence[object]:
        """Return the command line."""

    @abstractmethod
    def ready(self) -> bool:
        """Ask the server, over its own protocol, whether it serves; errors of sockets mean no."""

    def prepare(self, data: Path) -> None:  # noqa: B027 - most servers fill an empty folder
        """Make what must be in the folder of data before the first start."""

    def options(self, prefix: str = "--") -> list[str]:
        """Write the settings as words of a command line: `--name=value`, `--name` for True."""
        words = []
        for name, value in self._settings.items():
            for one in value if isinstance(value, list) else [value]:
                words.append(f"{prefix}{name}" if one is True else f"{prefix}{name}={one}")
        return words

    def run_tool(self, *command: object) -> None:
        """Run a program that prepares the data, as the user that the server gets."""
        with (self.folder / "log").open("ab") as log:
            done = subprocess.run(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                user=self._user.pw_uid if self._user else None,
                group=self._user.pw_gid if self._user else None,
                extra_groups=[] if self._user else None,
                check=False,
            )
        if done.returncode:
            raise ServerStartError(self.product.kind, "cannot prepare its data", self.log)

    def _own(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir(mode=0o700)
        if self._user is not None:
            for mine in (self.folder, path):
                os.chown(mine, self._user.pw_uid, self._user.pw_gid)
        return path

    def _at_exit(self) -> None:
        # A fork of the owner has the same list of things to do at its end.
        if os.getpid() == self._owner:
            self.stop()

    def _answers(self) -> bool:
        try:
            return self.ready()
        except (OSError, EOFError):
            return False

    def _signal(self, number: signal.Signals) -> list[int]:
        if not self.runs:
            return []
        # Stopped first: a server that is stopped starts no process that the list would not hold.
        _send(self._pid, signal.SIGSTOP)
        family = self.pids
        for pid in family:
            _send(pid, number)
        return family

    def _await_end(self) -> None:
        if self._guard is None:
            return
        try:
            self._guard.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._guard.wait()
        for pipe in (self._guard.stdin, self._guard.stdout):
            assert pipe is not None
            pipe.close()
        self._guard = None


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
