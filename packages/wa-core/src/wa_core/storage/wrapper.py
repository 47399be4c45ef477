"""The base of engines that stand in front of another engine.

A wrapper is an engine: it can be wrapped again, and the conformance suite judges it like any
other. It goes through the public methods of what it wraps, so checks and limits stay in force.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from wa_core.storage.batch import Batch, Operation
from wa_core.storage.capabilities import Capabilities
from wa_core.storage.engine import Engine, Entry
from wa_core.storage.lease import Holder, Lease

GRACE_S = 1.0
"""How much longer a wrapper waits than the engine inside: the inner error is the better one."""


class WrapperEngine(Engine):
    """Hands every call to `inner`; a subclass changes what it is about."""

    orders_applies = True

    def __init__(self, inner: Engine, *, capabilities: Capabilities | None = None) -> None:
        super().__init__(capabilities or inner.capabilities, timeout=inner.timeout + GRACE_S)
        self.inner = inner

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return await self.inner.get_many(keys)

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await self.inner.apply(Batch.checked(operations), fence=fence)

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        return await self.inner.list(prefix, offset, limit)

    async def _count(self, prefix: str) -> int:
        return await self.inner.count(prefix)

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        async with aclosing(self.inner.scan(prefix)) as source:
            async for entry in source:
                yield entry

    async def _acquire(self, holder: str, ttl: float) -> int:
        return (await self.inner.acquire(holder, ttl)).epoch

    async def _holder(self) -> Holder | None:
        return await self.inner.holder()

    async def _renew(self, lease: Lease, ttl: float) -> None:
        await self.inner.renew_lease(lease, ttl)

    async def _release(self, lease: Lease) -> None:
        await self.inner.release_lease(lease)

    async def _clear(self) -> None:
        await self.inner.clear()

    async def _close(self) -> None:
        await self.inner.close()
