"""Engines with one fault each, for the tests of the framework; they are found by name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from wa_conformance.hooks import MemoryHooks
from wa_core.storage import (
    CORE,
    Delete,
    Durability,
    Lease,
    MemoryEngine,
    MemoryStore,
    Operation,
    Put,
)


class Healthy(MemoryEngine):
    hooks = MemoryHooks
    _stores: ClassVar[dict[tuple[type, str], MemoryStore]] = {}

    def __init__(self, session: str, *, timeout: float = 10.0) -> None:
        store = self._stores.setdefault((type(self), session), MemoryStore())
        super().__init__(store, timeout=timeout)


class CutsNeighbours(Healthy):
    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply([step for step in operations if isinstance(step, Put)], fence)
        for step in operations:
            if isinstance(step, Delete):
                for key in [key for key in self.store.values if key.startswith(step.key)]:
                    self.store.cascade(key)


class EmptyIsAbsent(Healthy):
    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found = await super()._get_many(keys)
        return {key: value for key, value in found.items() if value}


class OldestFirst(Healthy):
    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        whole = await super()._list(prefix, 0, None)
        return whole[::-1][offset : None if limit is None else offset + limit]


class LeaksDriverErrors(Healthy):
    async def _count(self, prefix: str) -> int:
        raise KeyError("a driver's own error")


class Hangs(Healthy):
    async def get(self, key: str) -> bytes | None:
        await asyncio.Event().wait()
        return None


class BlocksTheLoop(Healthy):
    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        time.sleep(30)
        return {}


class KeepsTheFirst(Healthy):
    """Of calls at the same time, the first wins: no sequence of calls shows it."""

    orders_applies = True

    def __init__(self, session: str, *, timeout: float = 10.0) -> None:
        super().__init__(session, timeout=timeout)
        self._running: list[asyncio.Event] = []

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        first = not self._running
        done = asyncio.Event()
        self._running.append(done)
        await asyncio.sleep(0)
        for event in self._running[1:] if first else []:
            await event.wait()
        await super()._apply(operations, fence)
        self._running.remove(done)
        done.set()


class Persistent(Healthy):
    """Says that it outlives its process, and brings no hook to try it with."""

    hooks = None  # type: ignore[assignment]

    def __init__(self, session: str, *, timeout: float = 10.0) -> None:
        super().__init__(session, timeout=timeout)
        self._capabilities = replace(self._capabilities, durability=Durability.PROCESS, claims=CORE)


class CannotClear(Healthy):
    async def _clear(self) -> None:
        raise ZeroDivisionError("cannot clear")


class Unopenable(Healthy):
    def __init__(self, session: str) -> None:
        raise ZeroDivisionError("no backend today")


class OneOpener(Healthy):
    def __init__(self, session: str) -> None:
        super().__init__(session)
        self._capabilities = replace(self._capabilities, shared=False)


def no_engine(session: str) -> str:
    return session


async def made_later(session: str) -> Healthy:
    return Healthy(session)
