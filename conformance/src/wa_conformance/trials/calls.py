"""Calls while something breaks: each ends in time, in a result or in `EngineUnavailableError`.

Any other end is a violation, whatever it was that broke [F1, F2, G3].
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

from wa_core.errors import EngineUnavailableError, WaError
from wa_core.storage.engine import DEFAULT_TIMEOUT_S

from wa_conformance.violation import Violation
from wa_conformance.wakeful import awake, awake_for

SLACK_S = 1.0
"""What a busy machine may add to a timeout."""
PATIENCE = 15.0
"""How many timeouts long a caller tries again before the rig says that the engine is stuck."""
PAUSE_S = 0.01

T = TypeVar("T")


class Caller:
    """Calls engines, and counts how the calls ended."""

    def __init__(self, *, timeout: float, patience: float = PATIENCE) -> None:
        self.tally: Counter[str] = Counter()
        self._timeout = timeout
        self._patience_s = patience * timeout

    async def once(
        self, what: str, call: Callable[[], Awaitable[T]], *, timeout: float | None = None
    ) -> T:
        """Call; what is raised is `EngineUnavailableError` or a `Violation`."""
        began, limit_s = awake(), (timeout or self._timeout) + SLACK_S
        self.tally["calls"] += 1
        try:
            async with awake_for(limit_s):
                return await call()
        except TimeoutError as exc:
            raise Violation("F1", f"{what} {self._not_in_time(began)}") from exc
        except EngineUnavailableError:
            self.tally["unavailable"] += 1
            self._expect_in_time(what, began, limit_s)
            raise
        except Violation:
            raise
        except WaError as exc:
            message = f"{what} raised {type(exc).__name__} where the line was bad: {exc}"
            raise Violation("G3", message) from exc
        except Exception as exc:
            message = f"{what} let {type(exc).__name__} out of the package: {exc}"
            raise Violation("F2", message) from exc

    async def until_open(self, call: Callable[[], Awaitable[T]]) -> T:
        """Open, again while nobody answers; to look at a server may take an engine longer."""
        limit_s = max(self._timeout, DEFAULT_TIMEOUT_S)
        return await self.until_answered("open", call, timeout=limit_s)

    async def until_answered(
        self, what: str, call: Callable[[], Awaitable[T]], *, timeout: float | None = None
    ) -> T:
        """Call again after each `EngineUnavailableError`, as the contract lets a caller do [W3]."""
        gives_up = awake() + self._patience_s
        while True:
            try:
                return await self.once(what, call, timeout=timeout)
            except EngineUnavailableError as exc:
                if awake() > gives_up:
                    message = f"{what}: no answer although the server is back: {exc}"
                    raise Violation("G3", message) from exc
            await asyncio.sleep(PAUSE_S)

    def _expect_in_time(self, what: str, began: float, limit_s: float) -> None:
        if awake() - began > limit_s:
            raise Violation("F1", f"{what} {self._not_in_time(began)}")

    def _not_in_time(self, began: float) -> str:
        took = awake() - began
        return f"took {took:.2f} s, and the timeout is {self._timeout:g} s"
