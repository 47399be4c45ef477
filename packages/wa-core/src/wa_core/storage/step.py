"""One step of an async generator, which tells whether it has to be waited for.

The idea: most steps of a scan find their record in memory. Such a step is over when it was begun,
and costs its caller no timeout and no turn of the event loop.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Step(Generic[T]):
    """The next entry of a generator; await it unless `is_done`."""

    __slots__ = ("_call", "_waiting", "entry", "is_done")

    def __init__(self, source: AsyncGenerator[T, None]) -> None:
        self.entry: T | None = None
        self.is_done = False
        self._call: Any = source.__anext__()
        self._waiting: Any = None
        self._go_on(self._call.send, None)

    def __await__(self) -> Generator[Any, Any, None]:
        """Hand what the generator waits for to the event loop, and the answers back."""
        while not self.is_done:
            try:
                answer = yield self._waiting
            except BaseException as exc:
                self._go_on(self._call.throw, exc)
            else:
                self._go_on(self._call.send, answer)

    def _go_on(self, resume: Any, argument: object) -> None:
        try:
            self._waiting = resume(argument)
        except StopIteration as end:
            self.entry, self.is_done = end.value, True
        except StopAsyncIteration:
            self.is_done = True
