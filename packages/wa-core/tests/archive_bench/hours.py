"""Time and dice that a test turns by hand."""

from __future__ import annotations

import asyncio


class Hours:
    """A clock whose sleepers wake when the test lets time pass."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.time = now
        self.waits: list[float] = []
        self._sleeping: asyncio.Future[None] | None = None
        self._asleep = asyncio.Event()

    def now(self) -> float:
        """Return seconds since 1970."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Wait until the test has let that much time pass."""
        self.waits.append(seconds)
        self._sleeping = asyncio.get_running_loop().create_future()
        self._asleep.set()
        await self._sleeping

    async def until_asleep(self) -> float:
        """Return for how long, once somebody sleeps."""
        await self._asleep.wait()
        return self.waits[-1]

    def let_go(self) -> None:
        """Wake the sleeper, and do not wait for what comes of it."""
        self.time += self.waits[-1]
        self._asleep.clear()
        assert self._sleeping is not None
        self._sleeping.set_result(None)

    async def wake(self) -> float:
        """Let the time pass that is slept for; return once it is slept again, and for how long."""
        await self.until_asleep()
        self.let_go()
        return await self.until_asleep()
