"""Writes that go on when their caller has gone: in order, one at a time, and bounded [W6, X1].

A write that is cancelled half way would leave a transaction open. So it is not: its caller is told
at once, and the write comes to its end by itself, before the next one begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from wa_core.errors import EngineUnavailableError

T = TypeVar("T")


class Errands:
    """The writes of one engine."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._line = asyncio.Lock()
        self._running: set[asyncio.Task[object]] = set()

    async def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Wait for the turn of a write, then do it; a cancel is heard at once in both."""
        await self._line.acquire()
        task: asyncio.Task[T] = asyncio.create_task(self._bounded(work))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def drained(self, patience: float, mercy: float) -> None:
        """Wait for the write that is on its way; after `patience` cancel it."""
        if self._running:
            _, left = await asyncio.wait(self._running, timeout=patience)
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=mercy)

    async def _bounded(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(self._timeout):
                return await work()
        except TimeoutError:
            raise EngineUnavailableError(f"no answer within {self._timeout:g} s") from None

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._line.release()
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # Read, in case that its caller is gone.
