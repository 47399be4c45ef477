"""A signal that ends the process saves the credentials first.

The handler that was there before keeps its say: it is called when everything is saved, or at once
when the signal comes a second time. Where it is the system's own, the process ends by that signal.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from wa_core.errors import WaError

log = logging.getLogger(__name__)

_Handler = Callable[[int, FrameType | None], object] | int | None


class Flushable(Protocol):
    """What has something to save: a state."""

    async def flush(self) -> None:
        """Save it."""


@contextmanager
def flush_on_signal(
    *states: Flushable, signals: tuple[signal.Signals, ...] = (signal.SIGTERM,)
) -> Iterator[None]:
    """Save these states when a signal comes, and only then do what it did before.

    Call it in the main thread, within the running loop. An application that closes its states in
    a handler of its own needs none of this.
    """
    last_words = _LastWords(states, asyncio.get_running_loop())
    former = {number: signal.signal(number, last_words.hear) for number in signals}
    last_words.former = former
    try:
        yield
    finally:
        for number, handler in former.items():
            # None: it was set by something that is not Python.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


class _LastWords:
    def __init__(self, states: tuple[Flushable, ...], loop: asyncio.AbstractEventLoop) -> None:
        self.former: dict[signal.Signals, _Handler] = {}
        self._states = states
        self._loop = loop
        self._saving: asyncio.Task[None] | None = None
        self._heard: set[int] = set()

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal, between any two steps of the program: leave the work to the loop."""
        if number in self._heard:
            self._pass_on(number, frame)
        else:
            self._heard.add(number)
            self._loop.call_soon_threadsafe(self._begin, number)

    def _begin(self, number: int) -> None:
        self._saving = self._loop.create_task(self._save(number))

    async def _save(self, number: int) -> None:
        # All at once: a container has ten seconds, and may hold hundreds of sessions.
        results = await asyncio.gather(
            *(state.flush() for state in self._states), return_exceptions=True
        )
        for result in results:
            if result is not None:
                code = result.code if isinstance(result, WaError) else type(result).__name__
                log.error("credentials are not saved: %s", code)
        self._pass_on(number, None)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self._heard.discard(number)
        handler = self.former[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
            signal.raise_signal(number)
