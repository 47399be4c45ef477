"""Records in batches, read ahead of whoever writes them; all of it bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

from wa_core.migrate.group import together
from wa_core.storage import Entry

BATCH_RECORDS = 1000
BATCH_BYTES = 1024 * 1024
AHEAD = 2

Chunk = list[Entry]


async def chunked(entries: AsyncGenerator[Entry, None]) -> AsyncGenerator[Chunk, None]:
    """Put records together until a batch is large enough."""
    async with aclosing(entries):
        chunk: Chunk = []
        size = 0
        async for entry in entries:
            chunk.append(entry)
            size += len(entry.value)
            if len(chunk) >= BATCH_RECORDS or size >= BATCH_BYTES:
                yield chunk
                chunk, size = [], 0
        if chunk:
            yield chunk


@asynccontextmanager
async def ahead(
    entries: AsyncGenerator[Entry, None], seen: Callable[[Chunk], None]
) -> AsyncIterator[AsyncIterator[Chunk]]:
    """Read the next batches while the body works on one; `seen` gets each as it is read."""
    queue: asyncio.Queue[Chunk | None] = asyncio.Queue(AHEAD)

    async def fill() -> None:
        async with aclosing(chunked(entries)) as chunks:
            async for chunk in chunks:
                seen(chunk)
                await queue.put(chunk)
        await queue.put(None)

    async def drain() -> AsyncIterator[Chunk]:
        while (chunk := await queue.get()) is not None:
            yield chunk

    async with together() as group:
        reader = group.create_task(fill())
        yield drain()
        reader.cancel()
