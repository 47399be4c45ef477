"""Patience that a busy machine does not use up.

An engine must end each call within its timeout, and a suite that measures that by the clock on the
wall blames the engine for a machine that ran nobody for two seconds. So what counts is the time in
which this process was awake: a thread sleeps for a tick at a time, and a tick that took longer
counts as one tick. An engine that blocks the event loop does not stop that thread.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

TICK_S = 0.05


class Wakefulness:
    """Counts the seconds in which this process was awake."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._begun = time.monotonic()
        threading.Thread(target=self._count, name="wa-awake", daemon=True).start()

    def seconds(self) -> float:
        """Return what was counted, and what of the present tick is over."""
        return self._seconds + min(time.monotonic() - self._begun, TICK_S)

    def _count(self) -> None:
        while True:
            time.sleep(TICK_S)
            self._seconds += TICK_S
            self._begun = time.monotonic()


@cache
def _wakefulness() -> Wakefulness:
    return Wakefulness()


def awake() -> float:
    """Return the seconds that this process was awake so far: a clock for deadlines."""
    return _wakefulness().seconds()


@asynccontextmanager
async def awake_for(seconds: float | None) -> AsyncIterator[asyncio.Timeout]:
    """Do what `asyncio.timeout` does, in seconds awake."""
    if seconds is None:
        async with asyncio.timeout(None) as limit:
            yield limit
        return
    loop, ends = asyncio.get_running_loop(), awake() + seconds
    async with asyncio.timeout(None) as limit:

        def look() -> None:
            left = ends - awake()
            if left > 0:
                alarms[0] = loop.call_later(left, look)
            else:
                limit.reschedule(loop.time())

        alarms = [loop.call_later(seconds, look)]
        try:
            yield limit
        finally:
            alarms[0].cancel()
