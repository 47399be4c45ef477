"""A random program for a bad line: writes, and reads of what the writes have left.

Everything comes from dice, nothing from the engine, so that a seed is the whole program.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from wa_core.storage import Batch

from wa_conformance.model import PAST, Delete, Put, Step

POOLS = (
    ("chat/1", "chat/10", "chat/1/index", "chat", "chat/1/message/9"),
    ("a%b", "a_b", "a*b", "a*b/c", "a"),
    ("session/creds", "session/key/1", "session/key/10", "session/key", "session"),
    ("k", "k/\U0001f600", "k/e\u0301", "k/\u00e9", "K"),
)
SIZES = (0, 1, 30, 30, 300, 300, 3_000, 90_000)


@dataclass(frozen=True, slots=True)
class Write:
    """A batch; it is applied until it is acknowledged."""

    steps: tuple[Step, ...]
    aside: bool
    """By a second client, whose line is good."""
    cancelled_after: float | None
    """The first attempt is cancelled after so many seconds."""

    def batch(self) -> Batch:
        """Make the batch of an engine."""
        batch = Batch()
        for step in self.steps:
            if isinstance(step, Put):
                batch.put(step.key, step.value, at=step.at)
            else:
                batch.delete(step.key)
        return batch


@dataclass(frozen=True, slots=True)
class Read:
    """Some keys, and a page, from some tasks at the same time."""

    keys: tuple[str, ...]
    prefix: str
    tasks: int


Move = Write | Read


def script_of(dice: random.Random, *, length: int) -> tuple[Move, ...]:
    """Draw a program."""
    pool = dice.choice(POOLS)
    return tuple(_move(dice, pool) for _ in range(length))


def _move(dice: random.Random, pool: tuple[str, ...]) -> Move:
    if dice.random() < 0.25:
        prefix = dice.choice(("", dice.choice(pool)[: dice.randint(1, 3)].rstrip("/")))
        keys = tuple(dice.sample(pool, dice.randint(1, len(pool))))
        return Read(keys, prefix, tasks=dice.choice((1, 1, 3)))
    return Write(
        tuple(_step(dice, pool) for _ in range(dice.choice((1, 1, 2, 4, 12)))),
        aside=dice.random() < 0.2,
        cancelled_after=dice.uniform(0, 0.01) if dice.random() < 0.1 else None,
    )


def _step(dice: random.Random, pool: tuple[str, ...]) -> Step:
    key = dice.choice(pool)
    if dice.random() < 0.25:
        return Delete(key)
    at = dice.choice(PAST) if dice.random() < 0.2 else None
    return Put(key, dice.randbytes(dice.choice(SIZES)), at)
