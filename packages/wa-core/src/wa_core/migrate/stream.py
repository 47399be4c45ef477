"""Records in batches, read ahead of whoever writes them; all of it bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager

from wa_core.migrate.group import together
from wa_core.storage import Entry

BATCH_RECORDS = 1000
BATCH_BYTES = 1024 * 1024
AHEAD = 2

Chunk = list[Entry]


Scan = AsyncGenerator[Sequence[Entry], None]


async def chunked(pages: Scan) -> AsyncGenerator[Chunk, None]:
    """Put records together until a batch is large enough."""
    async with aclosing(pages):
        chunk: Chunk = []
        size = 0
        async for page in pages:
            for entry in page:
                chunk.append(entry)
                size += len(entry.value)
                if len(chunk) >= BATCH_RECORDS or size >= BATCH_BYTES:
                    yield chunk
                    chunk, size = [], 0
        if chunk:
            yield chunk


class Feed:
    """Batches for whoever asks next; any number of tasks may."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Chunk | None] = asyncio.Queue(AHEAD)

    async def fill(self, pages: Scan, seen: Callable[[Chunk], None]) -> None:
        """Read ahead until all is read; `seen` gets each batch as it is."""
        async with aclosing(chunked(pages)) as chunks:
            async for chunk in chunks:
                seen(chunk)
                await self._queue.put(chunk)
        await self._queue.put(None)

    def __aiter__(self) -> Feed:
        return self

    async def __anext__(self) -> Chunk:
        chunk = await self._queue.get()
        if chunk is None:
            self._queue.put_nowait(None)  # for the next who asks
            raise StopAsyncIteration
        return chunk


@asynccontextmanager
async def ahead(pages: Scan, seen: Callable[[Chunk], None]) -> AsyncIterator[Feed]:
    """Read the next batches while the body works on some; `seen` gets each as it is read."""
    feed = Feed()
    async with together() as group:
        reader = group.create_task(feed.fill(pages, seen))
        yield feed
        reader.cancel()
