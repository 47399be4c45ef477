"""Engines in front of engines that are slow, fail, or lose their answers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

from wa_core.errors import EngineUnavailableError
from wa_core.storage import Engine, Lease, Operation, WrapperEngine


class FaultyEngine(WrapperEngine):
    """Asks `fault` before each write: "none", "before" it fails, or "after" it happened.

    Other tasks run between a call and its effect, as often as `dice` says; and before a read.
    """

    def __init__(
        self,
        inner: Engine,
        *,
        fault: Callable[[], str] = lambda: "none",
        dice: random.Random | None = None,
    ) -> None:
        super().__init__(inner)
        self.fault = fault
        self.applied = 0
        self._dice = dice
        self._writing = asyncio.Lock()

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        async with self._writing:
            await self._linger()
            fault = self.fault()
            if fault == "before":
                raise EngineUnavailableError("the line broke before the write")
            await super()._apply(operations, fence)
            self.applied += 1
            await self._linger()
            if fault == "after":
                raise EngineUnavailableError("the line broke before the answer")

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        await self._linger()
        return await super()._get_many(keys)

    async def _linger(self) -> None:
        for _ in range(self._dice.randrange(20) if self._dice else 0):
            await asyncio.sleep(0)


class GatedEngine(WrapperEngine):
    """Writes wait until the test lets them go on."""

    def __init__(self, inner: Engine) -> None:
        super().__init__(inner)
        self.gate = asyncio.Event()
        self.reached = asyncio.Event()

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        self.reached.set()
        await self.gate.wait()
        await super()._apply(operations, fence)


class BrokenReads(WrapperEngine):
    """Every read of a record ends in one error, as `count` and `list` do if they are told to."""

    def __init__(self, inner: Engine, error: Exception, *, everything: bool = False) -> None:
        super().__init__(inner)
        self._error = error
        self._everything = everything

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        raise self._error

    async def _count(self, prefix: str) -> int:
        if self._everything:
            raise self._error
        return await super()._count(prefix)
