"""Sessions that are written while they are read, at every chance there is, in a known order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager

from wa_core.archive import Note
from wa_core.storage import Batch, Capabilities, Engine, Entry, Lease, Operation, WrapperEngine

Write = Callable[[Engine], Awaitable[None]]


class NotedEngine(WrapperEngine):
    """Tells of every batch, as the program does that writes a session."""

    def __init__(self, inner: Engine) -> None:
        super().__init__(inner)
        self.notes: list[Note] = []

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        for note in self.notes:
            note(operations)
        await super()._apply(operations, fence)


class InterruptedEngine(WrapperEngine):
    """Lets a writer in before every read of a reader, and behind every record of a scan."""

    def __init__(
        self, inner: Engine, write: Write, *, capabilities: Capabilities | None = None
    ) -> None:
        super().__init__(inner, capabilities=capabilities)
        self._door = NotedEngine(inner)
        self._write = write
        self._held = False

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Keep the writer out."""
        self._held = True
        try:
            yield
        finally:
            self._held = False

    @contextmanager
    def watched(self, note: Note) -> Iterator[None]:
        """Tell of what the writer writes."""
        self._door.notes.append(note)
        try:
            yield
        finally:
            self._door.notes.remove(note)

    async def _interrupt(self) -> None:
        if not self._held:
            await self._write(self._door)

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        await self._interrupt()
        return await self.inner.get_many(keys)

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        await self._interrupt()
        return await self.inner.list(prefix, offset, limit)

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        async with aclosing(self.inner.scan(prefix)) as entries:
            async for entry in entries:
                await self._interrupt()
                yield entry


class Twenty:
    """Commits batches over twenty records that all say the same number, and perhaps a message."""

    def __init__(self, *, messages: float = 0, old: bool = False) -> None:
        self.commits = 0
        self._messages = messages
        self._old = old
        """Messages stand at the time they were sent, before all that was written until then."""

    async def write(self, engine: Engine) -> None:
        """Commit once more."""
        self.commits += 1
        batch = Batch()
        for number in range(20):
            batch.put(f"session/session/peer.{number}", str(self.commits))
        if self.commits <= self._messages:
            # Names that a scan in their order has passed, or it would never end.
            name = f"chat/1/message/{1_000_000 - self.commits}"
            batch.put(name, b"text", at=self.commits if self._old else None)
        await engine.apply(batch)

    @asynccontextmanager
    async def writing(self, engine: Engine) -> AsyncIterator[None]:
        """Commit without a pause beside the body."""

        async def commit() -> None:
            while True:
                await self.write(engine)
                await asyncio.sleep(0)

        task = asyncio.create_task(commit())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


def said_by(records: dict[str, bytes]) -> set[int]:
    """Return what the twenty records say: one number, if they are of one moment."""
    return {int(records[f"session/session/peer.{number}"]) for number in range(20)}


def messages_in(records: dict[str, bytes]) -> int:
    """Count the messages."""
    return sum(key.startswith("chat/1/message/") for key in records)
