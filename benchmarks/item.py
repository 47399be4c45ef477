"""What a measurement is: two sides that take turns, and the ratio between them.

The idea: a time says something about a machine, a ratio about the code. Both sides of an item run
in every round, next to each other, and who begins alternates; a noisy neighbour hits both.
"""

from __future__ import annotations

import gc
import os
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

P = TypeVar("P")
"""Where an item takes place: a folder, or a server with all that is measured on it."""

Side = Callable[[], Awaitable[float]]
"""Does a fixed piece of work and returns the seconds, or the bytes, of one operation."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The two sides of an item, ready to run."""

    ours: Side
    other: Side


Pairs = AsyncIterator[Pair]


class Sense(StrEnum):
    """How a ratio is meant."""

    SPEED = "speed"
    """The other's time by ours: more is better, 2 is twice as fast as the other."""
    COST = "cost"
    """Our time by the other's: less is better, 2 is twice as slow as the other."""


class Unit(StrEnum):
    """What a side returns."""

    SECONDS = "seconds"
    BYTES = "bytes"


class Rival(StrEnum):
    """Who the other side is."""

    FLOOR = "floor"
    KEY_VALUE = "py-key-value-aio"
    KEY_VALUE_SYNCED = "py-key-value-aio, synced"
    BAILEYS = "Baileys"
    BAILEYS_SYNCED = "Baileys, synced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item(Generic[P]):
    """One line of the report."""

    name: str
    title: str
    against: str
    """What the other side does, in words."""
    sense: Sense
    target: float | None
    """What the ratio must reach, or with COST must not pass; None where it is only shown."""
    prepare: Callable[[P], AbstractAsyncContextManager[Pair]]
    rival: Rival = Rival.FLOOR
    unit: Unit = Unit.SECONDS
    writes: bool = False
    """Both sides dirty the disk: what one leaves behind is written out before the other runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was measured for an item."""

    item: Item[Any]
    ours: tuple[float, ...]
    """Seconds or bytes per operation, round by round."""
    other: tuple[float, ...]

    @property
    def ratios(self) -> list[float]:
        """The ratio of each round."""
        pairs = zip(self.ours, self.other, strict=True)
        if self.item.sense is Sense.SPEED:
            return [other / ours for ours, other in pairs]
        return [ours / other for ours, other in pairs]

    @property
    def ratio(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.ratios)

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        target = self.item.target
        if target is None:
            return None
        return self.ratio >= target if self.item.sense is Sense.SPEED else self.ratio <= target


async def measure(item: Item[P], place: P, *, rounds: int) -> Result:
    """Run an item, both sides in every round."""
    taken: dict[str, list[float]] = {"ours": [], "other": []}
    async with item.prepare(place) as pair:
        sides = [("ours", pair.ours), ("other", pair.other)]
        # The first turn warms both sides up and does not count; bytes need no warmth.
        turns = range(rounds + 1) if item.unit is Unit.SECONDS else range(1, 2)
        for turn in turns:
            for name, side in sides if turn % 2 else reversed(sides):
                gc.collect()
                # One round is a trial, and its times mean nothing.
                if item.writes and rounds > 1:
                    os.sync()
                spent = await side()
                if turn:
                    taken[name].append(spent)
    return Result(item=item, ours=tuple(taken["ours"]), other=tuple(taken["other"]))
