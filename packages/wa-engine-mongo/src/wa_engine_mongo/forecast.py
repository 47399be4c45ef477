"""What the server's clock will say when a batch arrives: positions without asking for them first.

The idea: positions are proposed, and the server takes them only if they are what it could have
given itself: after all before, no earlier than its clock, and not far ahead of it [O1].
"""

from __future__ import annotations

import time
from datetime import datetime

from wa_engine_mongo.records import Document

MARGIN_US = 20_000
"""How long a batch may be on its way before its positions are too early."""
FAR_US = 5_000_000
"""Positions further ahead of the server's clock than this come from a wrong forecast."""
_CLOCK_US = {"$multiply": [{"$toLong": "$$NOW"}, 1000]}


class Forecast:
    """One engine's notion of the server's clock."""

    def __init__(self) -> None:
        self._lead_us: int | None = None
        """How far the server's clock is ahead of ours, at most."""
        self._last = 0

    def propose(self) -> int | None:
        """Return the first position to propose; None while nothing is known."""
        if self._lead_us is None:
            return None
        return max(now_us() + self._lead_us + MARGIN_US, self._last + 1)

    def learn(self, seen: datetime, asked_us: int, last: int) -> None:
        """Hear what the clock said some time after it was asked, and which position was last."""
        said_us = round(seen.timestamp() * 1_000) * 1_000 + 1_000
        self._lead_us = said_us - asked_us
        self.gave(last)

    def gave(self, last: int) -> None:
        """Hear which position was given last."""
        self._last = max(self._last, last)

    def forget(self) -> None:
        """Hear that a proposal was not taken."""
        self._lead_us = None


def now_us() -> int:
    """Return our clock, for `learn`: one that never steps."""
    return time.monotonic_ns() // 1_000


def acceptable(first: int) -> Document:
    """Write the condition under which the server takes positions from `first` on."""
    soon = {"$add": [_CLOCK_US, FAR_US]}
    return {
        "clock": {"$lt": first},
        "$expr": {"$and": [{"$lte": [_CLOCK_US, first]}, {"$gte": [soon, first]}]},
    }
