"""What goes wrong on the line, and when: a plan of faults made from dice alone.

A fault is armed before a step of the program and meets one of the next messages, on whatever
connection that is sent. At most one fault of a plan lasts longer than the engine's timeout: two
hundred runs should take a minute, not an hour.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

MOMENT_S = 0.03
SHARE_OF_LONG = 0.12


class Kind(StrEnum):
    """What the line can do to a message."""

    DELAY = "delay"
    """Hold it back for a moment."""
    LATE = "late"
    """Hold it back until the engine has given up, and deliver it then."""
    LATE_REPLY = "late-reply"
    """Deliver it, and hold the answer back until the engine has given up."""
    DROP_REPLY = "drop-reply"
    """Deliver it, throw the answer away, reset the connection."""
    RESET_BEFORE = "reset-before"
    """Reset the connection instead of delivering it."""
    RESET_AMID = "reset-amid"
    """Deliver half of it, and reset the connection."""
    RESET_AFTER = "reset-after"
    """Deliver it, and reset the connection before an answer comes."""
    STALL = "stall"
    """Let nothing pass on any connection for a while; nothing is lost."""
    REFUSE = "refuse"
    """Reset every connection and refuse new ones for a while."""
    DUPLICATE = "duplicate"
    """Deliver it, and once more later, over a connection of its own."""


LONG: tuple[Kind, ...] = (Kind.LATE, Kind.LATE_REPLY, Kind.STALL)
SHORT = tuple(kind for kind in Kind if kind not in LONG and kind is not Kind.DUPLICATE)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong."""

    kind: Kind
    step: int
    """Before which step of the program it is armed."""
    skip: int
    """How many messages it lets pass first."""
    seconds: float
    """How long it lasts, where it lasts."""


def plan_of(
    dice: random.Random, *, steps: int, limit_s: float, duplicates: bool
) -> tuple[Fault, ...]:
    """Draw the faults of one run; a long one outlasts the time in which a call must end."""
    kinds: list[Kind] = [dice.choice(SHORT) for _ in range(dice.randint(1, 3))]
    if duplicates and dice.random() < 0.5:
        kinds.append(Kind.DUPLICATE)
    if dice.random() < SHARE_OF_LONG:
        kinds.append(dice.choice(LONG))
    return tuple(_fault(dice, kind, steps, limit_s) for kind in kinds)


def _fault(dice: random.Random, kind: Kind, steps: int, limit_s: float) -> Fault:
    long = kind in LONG
    return Fault(
        kind,
        step=dice.randrange(steps),
        skip=dice.choice((0, 0, 0, 0, 1, 1, 2, 3, 4, 6)),
        seconds=limit_s + dice.uniform(0.1, 0.4) if long else dice.uniform(0, MOMENT_S),
    )
