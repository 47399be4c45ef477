"""An engine that keeps its records sealed in the engine behind it.

Values are sealed, names and positions are not: lists, counts and cascades are the inner engine's.
What stands in between is the head, which no caller sees: it lies at the greatest position, under a
name that is nobody else's.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import Self

from wa_core.crypto.derivation import STRONG, Cost
from wa_core.crypto.keysource import Callback, KeySource, source_of
from wa_core.errors import EngineConfigError, InvalidKeyError, UnsealedStoreError
from wa_core.seal.gate import Gate
from wa_core.seal.head import HEAD_KEY
from wa_core.seal.keeper import Keeper
from wa_core.seal.record import OVERHEAD, Ring
from wa_core.storage import (
    MIN_MAX_VALUE,
    Batch,
    Capabilities,
    Engine,
    Entry,
    Lease,
    Operation,
    Put,
    WrapperEngine,
)

LAYOUT_CLAUSES = frozenset({"Y1", "Y2", "Y3"})
"""Other tools cannot read what is sealed."""


class SealedEngine(WrapperEngine):
    """Seals what goes in and opens what comes out; made by `open`."""

    def __init__(self, inner: Engine, keeper: Keeper) -> None:
        super().__init__(inner, capabilities=_capabilities(inner.capabilities))
        self.keeper = keeper
        self.gate = Gate()

    @classmethod
    async def open(
        cls, inner: Engine, key: KeySource | Callback | str, *, cost: Cost = STRONG
    ) -> Self:
        """Stand in front of an open engine, or raise before anything was written.

        `key` is a word as in `seal=`, or a function that gives the key. An empty store is sealed
        with the first write; `cost` is what a passphrase then costs.
        """
        _check_takes(inner)
        keeper = Keeper(inner, source_of(key), cost)
        await keeper.look()
        return cls(inner, keeper)

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        wanted = [key for key in keys if key != HEAD_KEY]
        ring = self.keeper.ring
        if ring is None:
            found = await self.inner.get_many([*wanted, HEAD_KEY])
            head = found.pop(HEAD_KEY, None)
            if head is None and found:
                raise UnsealedStoreError
            if head is None:
                return {}
            ring = await self.keeper.take(head)
        else:
            found = await self.inner.get_many(wanted)
        ring = await self._up_to(ring, found.values())
        return {key: ring.unseal(key, sealed) for key, sealed in found.items()}

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        for operation in operations:
            if operation.key == HEAD_KEY:
                raise InvalidKeyError(HEAD_KEY, "here the seal of the session lies")
        async with self.gate.turn:
            ring = self.keeper.ring_for(fence) or await self.keeper.for_writing(fence)
            batch = Batch.checked([_sealed(ring, operation) for operation in operations])
            self.gate.enter()
        answered = False
        try:
            await self.inner.apply(batch, fence=fence)
            answered = True
        finally:
            self.gate.leave(answered=answered)

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        if not HEAD_KEY.startswith(prefix):
            return await self.inner.list(prefix, offset, limit)
        if offset and await self.inner.list(prefix, 0, 1) == [HEAD_KEY]:
            return await self.inner.list(prefix, offset + 1, limit)
        # The first page; or a key at the greatest position, too, which comes before ours.
        end = None if limit is None else offset + limit
        page = await self.inner.list(prefix, 0, None if end is None else end + 1)
        return [key for key in page if key != HEAD_KEY][offset:end]

    async def _count(self, prefix: str) -> int:
        found = await self.inner.count(prefix)
        if HEAD_KEY.startswith(prefix) and await self.keeper.find() is not None:
            # The head may have come after the count.
            return max(found - 1, 0)
        return found

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        async with aclosing(self._scan_many(prefix)) as pages:
            async for page in pages:
                for entry in page:
                    yield entry

    async def _scan_many(self, prefix: str) -> AsyncGenerator[Sequence[Entry], None]:
        ring = await self.keeper.find()
        async with aclosing(self.inner.scan_many(prefix)) as pages:
            async for page in pages:
                found = [entry for entry in page if entry.key != HEAD_KEY]
                if found and ring is None:
                    ring = await self.keeper.reload()
                if ring is not None:
                    ring = await self._up_to(ring, (entry.value for entry in found))
                    yield [_opened(ring, entry) for entry in found]

    async def _acquire(self, holder: str, ttl: float) -> int:
        async with AsyncExitStack() as undo:
            lease = await undo.enter_async_context(await self.inner.acquire(holder, ttl))
            await self.keeper.under(lease)
            undo.pop_all()
            return lease.epoch

    async def _clear(self) -> None:
        async with self.gate.alone():
            self.gate.is_doubtful = True
            await self.keeper.clear()
            self.gate.is_doubtful = False

    async def _up_to(self, ring: Ring, found: Iterable[bytes]) -> Ring:
        """Read the head again if somebody seals with a newer key."""
        return await self.keeper.reload() if ring.is_behind_any(found) else ring


def sealed_in(engine: Engine) -> SealedEngine | None:
    """Find the sealed engine behind any wrappers."""
    while isinstance(engine, WrapperEngine):
        if isinstance(engine, SealedEngine):
            return engine
        engine = engine.inner
    return None


def _opened(ring: Ring, entry: Entry) -> Entry:
    return Entry(entry.key, ring.unseal(entry.key, entry.value), entry.at)


def _sealed(ring: Ring, operation: Operation) -> Operation:
    if isinstance(operation, Put):
        return Put(operation.key, ring.seal(operation.key, operation.value), operation.at)
    return operation


def _capabilities(inner: Capabilities) -> Capabilities:
    limit = inner.max_value - OVERHEAD
    lost = LAYOUT_CLAUSES if limit >= MIN_MAX_VALUE else LAYOUT_CLAUSES | {"V1"}
    return replace(inner, max_value=limit, claims=inner.claims - lost)


def _check_takes(inner: Engine) -> None:
    engine = inner
    while isinstance(engine, WrapperEngine):
        engine = engine.inner
    if sealed_in(inner) is not None:
        raise EngineConfigError("seal", "this store is sealed already, once is enough")
    if getattr(engine, "holds", None) is not None:
        raise EngineConfigError(
            "seal", "in the layout of another tool there is no place for sealed records"
        )
