"""Cancelling a call at each of its awaits, and listening for what that leaves behind.

An await is a tick of the event loop: a call that is cancelled after 0, 1, 2, ... ticks has been
cancelled at every await it has. Calls that wait for a thread or a server take many ticks to do
nothing, so that the steps grow.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import Any

from wa_conformance.probe import Probe

Call = Callable[[], Coroutine[Any, Any, object]]

ALL_UNTIL = 20
"""Up to here every tick is tried."""
MAX_TICKS = 4_000


class Ending(Enum):
    """How a call ended that was to be cancelled."""

    DONE = auto()
    """It was over before."""
    CANCELLED = auto()
    RETURNED = auto()
    """It was cancelled, and returned as if it were not."""


def moments() -> Iterator[int]:
    """Count ticks: each of the first, then in steps that grow."""
    ticks = 0
    while ticks < MAX_TICKS:
        yield ticks
        ticks = ticks + 1 if ticks < ALL_UNTIL else ticks * 5 // 4


async def cancelled(call: Call, *, ticks: int) -> Ending:
    """Start a call, cancel it after so many ticks, and wait for its end."""
    task = asyncio.ensure_future(call())
    for _ in range(ticks):
        if task.done():
            break
        await asyncio.sleep(0)
    return await _ended(task)


async def cancelled_within(call: Call, *, seconds: float) -> Ending:
    """Start a call, cancel it after that time, and wait for its end."""
    task = asyncio.ensure_future(call())
    await asyncio.wait((task,), timeout=seconds)
    return await _ended(task)


async def _ended(task: asyncio.Future[object]) -> Ending:
    if task.done():
        task.result()
        return Ending.DONE
    task.cancel()
    await asyncio.wait((task,))
    if task.cancelled():
        return Ending.CANCELLED
    task.result()
    return Ending.RETURNED


async def at_every_await(call: Call) -> AsyncIterator[Ending]:
    """Cancel a call later and later, until it is over before, three times in a row."""
    over = 0
    for ticks in moments():
        ending = await cancelled(call, ticks=ticks)
        yield ending
        over = over + 1 if ending is Ending.DONE else 0
        if over == 3:
            return


@asynccontextmanager
async def no_leftovers(engine: Probe) -> AsyncIterator[None]:
    """Demand that no task is lost and no error left unread in the event loop."""
    engine.program.gap("calls were cancelled")
    loop = asyncio.get_running_loop()
    heard: list[str] = []
    before, tasks = loop.get_exception_handler(), len(asyncio.all_tasks())
    loop.set_exception_handler(lambda _, context: heard.append(_said(context)))
    try:
        yield
        for _ in range(5):
            gc.collect()
            await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(before)
    if heard:
        engine.fail(f"left in the event loop: {heard[0]}")
    deadline = loop.time() + 1.0
    while len(asyncio.all_tasks()) > tasks + 2:
        if loop.time() > deadline:
            engine.fail(f"{len(asyncio.all_tasks()) - tasks} tasks were left running")
        await asyncio.sleep(0.01)


def _said(context: dict[str, Any]) -> str:
    error = context.get("exception")
    return f"{context['message']}: {error!r}" if error else str(context["message"])
