"""One thread that does an engine's file work, in the order in which it was asked for.

The order is what makes reads and writes agree: what a read finds in the folder is what the index
says once the read's answer is back on the event loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
Job = tuple[Callable[[], Any], "asyncio.Future[Any]", asyncio.AbstractEventLoop]


class Worker:
    """Runs functions on one thread and hands their results to the event loop."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self.waiting = 0

    def submit(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Queue `work`; cancelling the future does not stop it once it is queued."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self.waiting += 1
        self._jobs.put((work, future, loop))
        return future

    def stop(self) -> None:
        """Let the thread end once its queue is done."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread = None

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, future, loop = job
            result, error = None, None
            try:
                result = work()
            except BaseException as exc:
                error = exc
            with suppress(RuntimeError):  # of a closed event loop, where nobody is left to tell
                loop.call_soon_threadsafe(self._finish, future, result, error)
            del work, future, loop, job, result, error

    def _finish(
        self, future: asyncio.Future[Any], result: object, error: BaseException | None
    ) -> None:
        if not future.cancelled():
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
        # Counted until whoever waits has been woken: what was read is compared with the index,
        # which must not change in between.
        asyncio.get_running_loop().call_soon(self._forget)

    def _forget(self) -> None:
        self.waiting -= 1
