"""The way that all writes of one sealed engine take, so that a rotation can hold them back.

Writers pass in the order in which they came, and then run side by side. Who wants to be alone waits
until the last of them is done: what is read then is what will be written over.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """Many writers, or one who is alone."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        """Held while a write is made ready: nobody overtakes [W6]."""
        self.is_doubtful = False
        """Whether a write failed that may still land; a later one that returns says it has not."""
        self._inside = 0
        self._empty = asyncio.Event()
        self._empty.set()

    def enter(self) -> None:
        """Count a write in, before `turn` is given up."""
        self._inside += 1
        self._empty.clear()

    def leave(self, *, answered: bool) -> None:
        """Count it out; without an answer nobody knows whether it was done."""
        if not answered:
            self.is_doubtful = True
        self._inside -= 1
        if not self._inside:
            self._empty.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Hold the writes to come back, once those under way have ended."""
        async with self.turn:
            await self._empty.wait()
            yield
