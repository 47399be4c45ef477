"""Ctrl-C and SIGTERM: a command is cancelled, so that it lets go of everything in order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

from wa_core.cli.exits import INTERRUPTED, TERMINATED

_CODES = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}


class StoppedError(Exception):
    """A signal ended the command; `code` is what it exits with."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


async def interruptible(command: Coroutine[Any, Any, int]) -> int:
    """Run a command to its end, or until a signal cancels it."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(command)
    heard: list[int] = []

    def stop(code: int) -> None:
        heard.append(code)
        task.cancel()

    for number, code in _CODES.items():
        loop.add_signal_handler(number, stop, code)
    try:
        return await task
    except asyncio.CancelledError:
        if heard:
            raise StoppedError(heard[0]) from None
        raise
    finally:
        for number in _CODES:
            loop.remove_signal_handler(number)
