"""Our side: an engine through its public methods, as a client uses it."""

from __future__ import annotations

from collections.abc import Sequence

from wa_core.storage import Batch, Engine

from benchmarks.subject import Pair


class Ours:
    """An engine as a subject."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def put(self, pairs: Sequence[Pair]) -> None:
        """Apply one batch."""
        batch = Batch()
        for key, value in pairs:
            batch.put(key, value)
        await self._engine.apply(batch)

    async def get_many(self, keys: Sequence[str]) -> int:
        """Read values."""
        return len(await self._engine.get_many(keys))

    async def delete(self, key: str) -> None:
        """Remove one key, and what might be below it."""
        await self._engine.set(key, None)

    async def page(self, prefix: str, offset: int, limit: int) -> list[str]:
        """List a page."""
        return await self._engine.list(prefix, offset, limit)

    async def drop(self, key: str) -> None:
        """Remove a key and all below it."""
        await self._engine.set(key, None)

    async def scan(self) -> int:
        """Read everything."""
        count = 0
        async for _ in self._engine.scan():
            count += 1
        return count

    async def close(self) -> None:
        """Close the engine."""
        await self._engine.close()
