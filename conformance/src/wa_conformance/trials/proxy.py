"""A line that misbehaves on demand: a TCP proxy on loopback between an engine and its server.

It knows no protocol. A message is what a client sends from one answer to the next, which holds for
every driver that waits for its answers; where a message begins, an armed fault may meet it.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from wa_conformance.trials.plan import Fault, Kind

LOOPBACK = "127.0.0.1"
CHUNK = 65_536
DRAIN_S = 15.0
"""How long a server may take to end connections whose client has gone: it may wait for a lock."""


class Proxy:
    """Listens on a port of its own, and passes on what comes to the server's."""

    def __init__(self, host: str, port: int) -> None:
        self.upstream = (host, port)
        self.port = 0
        self.met: Counter[str] = Counter()
        """How many faults of each kind have met a message."""
        self.flowing = asyncio.Event()
        self.flowing.set()
        self._armed: list[Fault] = []
        self._skipped = 0
        self._refusals = 0
        self._links: dict[asyncio.Task[None], Link] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._reserve: socket.socket | None = None

    async def __aenter__(self) -> Self:
        # A socket that is bound and does not listen keeps the port ours while we refuse.
        self._reserve = _bound(0)
        self.port = self._reserve.getsockname()[1]
        await self._listen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop_listening()
        await _some_turns()
        # One of them may be about to listen again.
        tasks = [*self._tasks, *self._links]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._stop_listening()
        await _some_turns()
        if self._reserve is not None:
            self._reserve.close()

    def arm(self, fault: Fault) -> None:
        """Let `fault` meet one of the next messages."""
        self._armed.append(fault)

    def disarm(self) -> None:
        """Forget the faults that have met nothing."""
        self._armed.clear()

    def meet(self) -> Fault | None:
        """Tell which fault meets the message that begins now."""
        if not self._armed:
            return None
        if self._skipped < self._armed[0].skip:
            self._skipped += 1
            return None
        self._skipped = 0
        fault = self._armed.pop(0)
        self.met[fault.kind] += 1
        return fault

    def stall(self, seconds: float) -> None:
        """Let nothing pass for so long."""
        self.flowing.clear()
        self.start(self._flow_after(seconds))

    def refuse(self, seconds: float) -> None:
        """Reset all connections, and refuse new ones for so long."""
        self._refusals += 1
        self._stop_listening()
        for link in self._links.values():
            link.reset()
        self.start(self._listen_after(seconds))

    def start(self, call: Coroutine[Any, Any, None]) -> None:
        """Run something that ends with the proxy at the latest."""
        task = asyncio.ensure_future(call)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> bool:
        """Wait until all that was held back is delivered and answered; the clients are closed.

        False: the server still keeps a connection open whose client went long ago.
        """
        self.disarm()
        while busy := [*self._tasks, *self._links]:
            _, late = await asyncio.wait(busy, timeout=DRAIN_S)
            if late:
                return False
        return True

    async def _listen(self) -> None:
        # Known before it listens: whoever is cancelled while it begins to leaves it to be closed.
        self._server = await asyncio.start_server(
            self._accept, sock=_bound(self.port), start_serving=False
        )
        await self._server.start_serving()

    async def _listen_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._refusals -= 1
        if not self._refusals:
            await self._listen()

    async def _flow_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.flowing.set()

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        link = Link(self, reader, writer)
        self._links[task] = link
        try:
            await link.run()
        finally:
            del self._links[task]
            writer.close()


class Link:
    """A client's connection, and the one to the server that it stands for."""

    def __init__(
        self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._proxy = proxy
        self._client = (reader, writer)
        self._server: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._answered = True
        self._fault: Fault | None = None
        self._mute = False
        self._torn = False
        self._message = b""
        """The bytes of a message that will be delivered twice."""

    async def run(self) -> None:
        """Pass on both ways until both sides have ended."""
        try:
            self._server = await asyncio.open_connection(*self._proxy.upstream)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._requests(self._client[0], self._server[1]))
                pumps.create_task(self._answers(self._server[0], self._client[1]))
        except OSError:
            self.reset()
        finally:
            for side in (self._client, self._server):
                if side is not None:
                    side[1].close()

    def reset(self) -> None:
        """End both connections as a router that forgot them does."""
        _reset(self._client[1])
        if self._server is not None:
            _reset(self._server[1])

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                if self._torn:
                    # Until the reset: a stream with a gap is nothing that TCP can do.
                    continue
                if self._answered:
                    self._answered = False
                    self._fault = self._proxy.meet()
                    self._message = b""
                if not await self._spoiled(data, writer):
                    await self._proxy.flowing.wait()
                    writer.write(data)
                    await writer.drain()
                    self._delivered()
        # What was sent before the client went is delivered; the server sees its end only then.
        with suppress(OSError, RuntimeError):
            writer.write_eof()

    async def _spoiled(self, data: bytes, writer: asyncio.StreamWriter) -> bool:
        """Do what happens before delivery; True when there is none."""
        fault = self._fault
        if fault is None:
            return False
        match fault.kind:
            case Kind.DELAY | Kind.LATE:
                await asyncio.sleep(fault.seconds)
                self._fault = None
            case Kind.STALL:
                self._proxy.stall(fault.seconds)
                self._fault = None
            case Kind.REFUSE:
                self._proxy.refuse(fault.seconds)
                return True
            case Kind.RESET_BEFORE:
                self.reset()
                return True
            case Kind.RESET_AMID:
                writer.write(data[: len(data) // 2])
                self._torn = True
                self._reset_soon(fault)
                return True
            case Kind.DUPLICATE:
                self._message += data
        return False

    def _delivered(self) -> None:
        if self._fault is not None and self._fault.kind is Kind.RESET_AFTER:
            self._reset_soon(self._fault)

    def _reset_soon(self, fault: Fault) -> None:
        # Not at once: a reset overtakes the bytes before it.
        self._fault = None
        self._proxy.start(self._reset_after(min(fault.seconds, 0.005)))

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                fault, self._fault, self._answered = self._fault, None, True
                if fault is not None and fault.kind is Kind.DROP_REPLY:
                    self._mute = True
                    self._proxy.start(self._reset_after(fault.seconds))
                if self._mute:
                    # The rest of it too, for the same reason.
                    continue
                if fault is not None and fault.kind is Kind.LATE_REPLY:
                    await asyncio.sleep(fault.seconds)
                elif fault is not None and fault.kind is Kind.DUPLICATE:
                    self._proxy.start(self._deliver_again(self._message, fault.seconds * 4))
                await self._proxy.flowing.wait()
                # The client may have gone; the server is heard to its end all the same.
                with suppress(OSError):
                    writer.write(data)
                    await writer.drain()
        writer.close()

    async def _reset_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.reset()

    async def _deliver_again(self, message: bytes, seconds: float) -> None:
        await asyncio.sleep(seconds)
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(*self._proxy.upstream)
            try:
                writer.write(message)
                writer.write_eof()
                while await reader.read(CHUNK):
                    pass
            finally:
                writer.close()


async def _some_turns() -> None:
    # Whom asyncio lets in or closes is at his place, or gone, some turns of the loop later.
    for _ in range(5):
        await asyncio.sleep(0)


def _bound(port: int) -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.setblocking(False)
    found.bind((LOOPBACK, port))
    return found


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset, not with the polite end of a stream."""
    found = writer.get_extra_info("socket")
    if found is not None and found.fileno() >= 0:
        on_now = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, on_now)
    writer.transport.abort()
