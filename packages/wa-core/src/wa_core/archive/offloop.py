"""Blocking work beside the event loop, by callers that may be cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def off_loop(work: Callable[[], T], *, undo: Callable[[T], object] | None = None) -> T:
    """Run `work` in a thread; a cancelled caller goes on only when the thread is done with it.

    So what the caller cleans up is used by nobody, and `undo` is given what no caller will get. The
    work is short: a piece of a file.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            try:
                await asyncio.wait([running])
            except asyncio.CancelledError:
                continue  # told twice
        if not running.cancelled() and running.exception() is None and undo is not None:
            undo(running.result())
        raise
