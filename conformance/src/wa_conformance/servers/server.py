"""What a test holds: a server of one process or of several, or one that a URL names.

All of it is plain calls, because most are instant; as `async with` the start and the end happen in
a thread. What a server of several processes needs besides them (to be told of each other, to
elect) its class does in `arrange`, once, and in `settle`, after each start.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import ClassVar, Self

from wa_conformance.servers.binaries import Product
from wa_conformance.servers.errors import ForeignServerError, ServerStartError
from wa_conformance.servers.process import Process, Settings

SETTLE_S = 60.0
_GLANCE_S = 0.05


class Server(ABC):
    """A server for tests; a context manager, plain and async, that starts and stops it."""

    product: ClassVar[Product]

    def __init__(self, *, version: str | None = None, settings: Settings | None = None) -> None:
        self._arranged = False
        self._foreign = None
        # A server that is there already has the settings that it has.
        given = os.environ.get(self.product.variable)
        if given and not settings and self.serves(given, version):
            self._foreign = given
        self._nodes = () if self._foreign else tuple(self.make_nodes(version, settings))

    @property
    def url(self) -> str:
        """The URL that `open_engine` takes, without a session."""
        return self._foreign or self.own_url()

    @property
    def origin(self) -> str:
        """Where it comes from, for people: a program and its version, or a variable."""
        return f"at {self.product.variable}" if self._foreign else self.node.origin

    @property
    def nodes(self) -> Sequence[Process]:
        """The processes, each of which can be killed, stopped and started alone."""
        if self._foreign:
            raise ForeignServerError(self.product.kind, self.product.variable)
        return self._nodes

    @property
    def node(self) -> Process:
        """The first process, mostly the only one."""
        return self.nodes[0]

    @property
    def pids(self) -> list[int]:
        """The process ids of all nodes and of all that they started."""
        return [pid for node in self.nodes for pid in node.pids]

    def start(self) -> Self:
        """Start it, and return when it serves."""
        try:
            self._start_nodes()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End it for good; its data are gone."""
        for node in self._nodes:
            node.stop()

    def kill(self) -> None:
        """End all its processes by SIGKILL; `restart` finds what they had written."""
        for node in self.nodes:
            node.kill()

    def restart(self) -> None:
        """Start it again, on the same ports and data; if it runs, end it politely before."""
        for node in self.nodes:
            if node.runs:
                node.end()
        self._start_nodes()

    def pause(self) -> None:
        """Stop all its processes (SIGSTOP): connections stay, and nothing answers."""
        for node in self.nodes:
            node.pause()

    def resume(self) -> None:
        """Let them go on after `pause`."""
        for node in self.nodes:
            node.resume()

    @abstractmethod
    def make_nodes(self, version: str | None, settings: Settings | None) -> Sequence[Process]:
        """Make the processes, not started."""

    @abstractmethod
    def own_url(self) -> str:
        """Return the URL of the nodes."""

    def serves(self, url: str, version: str | None) -> bool:
        """Tell whether the server that a variable names can stand for this one."""
        return version is None

    def arrange(self) -> None:  # noqa: B027 - a single process needs none
        """Tell the processes of each other, once."""

    def settled(self) -> bool:
        """Tell whether the processes serve together."""
        return True

    def _start_nodes(self) -> None:
        for node in self._nodes:
            node.launch()
        for node in self._nodes:
            node.await_ready()
        if self._nodes and not self._arranged:
            self.arrange()
            self._arranged = True
        if not wait_until(self.settled, SETTLE_S):
            reason = f"does not settle within {SETTLE_S} s"
            raise ServerStartError(self.product.kind, reason, self.node.log)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.stop)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask a server again and again; one that does not answer at all has not settled yet."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError, EOFError):
            if condition():
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_GLANCE_S)
