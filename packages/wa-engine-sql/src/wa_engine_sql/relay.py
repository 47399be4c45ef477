"""The order of one engine's writes, where one may be sent before the one ahead is answered [W6].

The idea: a write that leaves a mark in the database lets in the next, which changes nothing unless
it finds that mark. So the database has work while its answer is on the way, and whoever finds no
mark waits until all ahead have ended.
"""

from __future__ import annotations

import asyncio
from types import TracebackType


class Relay:
    """The writes of one engine, first come, first served; at most two are under way."""

    def __init__(self) -> None:
        self.gate = asyncio.Lock()
        self.last: Leg | None = None

    def next(self) -> Leg:
        """Ask for a place; it begins as a context manager, and ends with it."""
        return Leg(self)


class Leg:
    """One write."""

    def __init__(self, relay: Relay) -> None:
        self.mark: int | None = None
        """What the database holds when this write has taken place, and not before."""
        self._relay = relay
        self._ahead: Leg | None = None
        self._behind: Leg | None = None
        self._over = asyncio.Event()
        self._has_gate = False
        self._passes_on = False
        self._mark_ahead: int | None = None

    def follows(self, mark: int | None) -> bool:
        """Tell whether `mark` is that of the write right ahead, which is still under way."""
        return mark is not None and self._ahead is not None and self._ahead.mark == mark

    async def alone(self) -> int | None:
        """Wait until all ahead have ended, letting nobody in; return the mark of the last."""
        self._passes_on = False
        if self._ahead is not None:
            await self._ahead._over.wait()
        return self._mark_ahead

    def pass_on(self, mark: int) -> None:
        """Let the next write in, as soon as nobody is under way ahead."""
        self.mark, self._passes_on = mark, True
        if self._ahead is None:
            self._open_gate()

    async def __aenter__(self) -> Leg:
        await self._relay.gate.acquire()
        self._has_gate = True
        self._ahead, self._relay.last = self._relay.last, self
        if self._ahead is not None:
            self._ahead._behind = self
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._ahead is not None:
            # Cut off: the one ahead is still under way, and whoever comes next comes behind it.
            self._relay.last, self._ahead._behind = self._ahead, None
        elif self._behind is not None:
            self._behind._becomes_first(self.mark)
        else:
            self._relay.last = None
        self._open_gate()

    def _becomes_first(self, mark_ahead: int | None) -> None:
        self._ahead, self._mark_ahead = None, mark_ahead
        if self._passes_on:
            self._open_gate()

    def _open_gate(self) -> None:
        if self._has_gate:
            self._has_gate = False
            self._relay.gate.release()
