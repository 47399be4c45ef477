"""A server and its engine, as small as can be: what the trials of a bad line are tried on.

A request is a line of JSON, its answer another. The healthy engine numbers its writes, so that the
server knows one that it has seen; the others have one fault each.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, closing, suppress
from itertools import count
from types import TracebackType
from typing import Any, ClassVar, Self

from wa_core.errors import EngineUnavailableError
from wa_core.storage import (
    Batch,
    Engine,
    Entry,
    Lease,
    MemoryEngine,
    MemoryStore,
    Operation,
    Put,
)
from wa_core.storage.memory import CAPABILITIES

LIMIT = 2**24


class ToyServer:
    """Sessions in memory, behind a port of the loopback."""

    def __init__(self) -> None:
        self.stores: dict[str, MemoryStore] = {}
        self.port = 0
        self._seen: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=LIMIT)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for _ in range(5):
            await asyncio.sleep(0)
            for task in self._tasks:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A cancelled connection ends in peace: asyncio would ask its task for an error.
        with suppress(OSError, asyncio.CancelledError), closing(writer):
            while (line := await reader.readline()).endswith(b"\n"):
                answer = await self._answer(json.loads(line))
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()

    async def _answer(self, asked: dict[str, Any]) -> Any:
        store = self.stores.setdefault(asked["session"], MemoryStore())
        engine = MemoryEngine(store)
        match asked["do"]:
            case "apply":
                if self._fresh(asked):
                    await engine.apply(_batch(asked["operations"]))
            case "get_many":
                found = await engine.get_many(asked["keys"])
                return {key: _text(value) for key, value in found.items()}
            case "list":
                return await engine.list(asked["prefix"], asked["offset"], asked["limit"])
            case "count":
                return await engine.count(asked["prefix"])
            case "scan":
                async with aclosing(engine.scan(asked["prefix"])) as entries:
                    return [(one.key, _text(one.value), one.at) async for one in entries]
            case "clear":
                await engine.clear()
        return None

    def _fresh(self, asked: dict[str, Any]) -> bool:
        writer, number = asked["writer"], asked["number"]
        if number is None:
            return True
        if number <= self._seen.get(writer, 0):
            return False
        self._seen[writer] = number
        return True


class ToyEngine(Engine):
    """The healthy one: a connection that is dropped when a call does not end on it."""

    _names: ClassVar[count[int]] = count()

    def __init__(self, session: str, *, port: int, timeout: float) -> None:
        super().__init__(CAPABILITIES, timeout=timeout)
        self.session, self.port = session, port
        self.name, self.numbers = f"writer-{next(self._names)}", count(1)
        self.line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.turn = asyncio.Lock()

    async def ask(self, do: str, **said: object) -> Any:
        """Ask the server, once more on a new connection when the old one is gone."""
        asked = json.dumps({"do": do, "session": self.session, "writer": self.name, **said})
        async with self.turn:
            for last in (False, True):
                try:
                    return await self.attempt(asked.encode() + b"\n")
                except OSError as exc:
                    if last:
                        raise EngineUnavailableError("the toy does not answer") from exc

    async def attempt(self, asked: bytes) -> Any:
        """Send a request, and read its answer."""
        whole = False
        try:
            if self.line is None:
                self.line = await asyncio.open_connection("127.0.0.1", self.port, limit=LIMIT)
            self.line[1].write(asked)
            answer = await self.line[0].readline()
            whole = answer.endswith(b"\n")
        finally:
            if not whole:
                self.drop()
        if not whole:
            raise ConnectionResetError
        return json.loads(answer)

    def drop(self) -> None:
        """Leave a connection on which an answer may still come."""
        if self.line is not None:
            self.line[1].close()
            self.line = None

    def number(self) -> int | None:
        """Number a write, so that the server knows it again."""
        return next(self.numbers)

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found = await self.ask("get_many", keys=list(keys))
        return {key: _bytes(value) for key, value in found.items()}

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        said = [
            (step.key, _text(step.value), step.at) if isinstance(step, Put) else (step.key, None, 0)
            for step in operations
        ]
        await self.ask("apply", operations=said, number=self.number())

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        found: list[str] = await self.ask("list", prefix=prefix, offset=offset, limit=limit)
        return found

    async def _count(self, prefix: str) -> int:
        return int(await self.ask("count", prefix=prefix))

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        for key, value, at in await self.ask("scan", prefix=prefix):
            yield Entry(key, _bytes(value), at)

    async def _clear(self) -> None:
        await self.ask("clear")

    async def _close(self) -> None:
        self.drop()


class SendsNoNumbers(ToyEngine):
    """A request that arrives late or twice is done late or twice."""

    def number(self) -> int | None:
        return None


class KeepsTheLine(ToyEngine):
    """The next call reads the answer that the last one did not wait for."""

    async def attempt(self, asked: bytes) -> Any:
        if self.line is None:
            self.line = await asyncio.open_connection("127.0.0.1", self.port, limit=LIMIT)
        self.line[1].write(asked)
        answer = await self.line[0].readline()
        if not answer.endswith(b"\n"):
            self.drop()
            raise ConnectionResetError
        return json.loads(answer)


class LeaksItsDriver(ToyEngine):
    """What the socket raises goes to the caller."""

    async def ask(self, do: str, **said: object) -> Any:
        try:
            return await super().ask(do, **said)
        except EngineUnavailableError as exc:
            raise ConnectionResetError from exc


class TakesSilenceForAnAnswer(ToyEngine):
    """A write that was not answered is reported as done."""

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        with suppress(EngineUnavailableError):
            await super()._apply(operations, fence)


class WaitsForEver(ToyEngine):
    """The base class's timeout was taken away."""

    async def _bounded(self, call: Any) -> Any:
        return await call


class ToyDoor:
    """Opens a kind of toy engine on a toy server."""

    duplicates = True

    def __init__(self, server: ToyServer, kind: type[ToyEngine]) -> None:
        self._server, self._kind = server, kind

    @property
    def upstream(self) -> tuple[str, int]:
        return "127.0.0.1", self._server.port

    async def open(self, session: str, *, timeout: float, port: int | None = None) -> Engine:
        # The second client is always healthy: the fault is to show on the bad line.
        kind = ToyEngine if port is None else self._kind
        return kind(session, port=port or self._server.port, timeout=timeout)

    async def forget(self, session: str) -> None:
        self._server.stores.pop(session, None)


def _batch(said: Sequence[tuple[str, str | None, int | None]]) -> Batch:
    batch = Batch()
    for key, value, at in said:
        if value is None:
            batch.delete(key)
        else:
            batch.put(key, _bytes(value), at=at)
    return batch


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
