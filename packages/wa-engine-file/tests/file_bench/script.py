"""Scripts of varied batches, and a model that knows what each of them must lead to.

The model is a plain dict and shares no code with the engine.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TypeAlias

from wa_core.storage import Delete, Operation, Put

State: TypeAlias = dict[str, tuple[bytes, int]]
"""Value and position by key."""

KEYS = (
    "session/creds",
    "session/pre-key/1",
    "chat/1",
    "chat/1/index",
    "chat/1/message/7",
    "chat/1/message/7/index",
    "contact/549@s.whatsapp.net/index",
    "lid/_at_",
    "b",
    "b/%",
    "n" * 210,
    "x/" + "é" * 120,
    "x/" + "é" * 120 + "/y",
    ".wa/manifest",
)
ROOTS = ("session", "chat", "chat/1", "chat/1/message", "b", "x", "contact", "lid", "absent")
SIZES = (0, 1, 40, 511, 700, 1800)


@dataclass(frozen=True, slots=True)
class Step:
    """One call: a batch, or with no operations a clear."""

    operations: tuple[Operation, ...] | None
    grants: bool = False
    """Whether a lease is given before."""


class Model:
    """What a session must hold behind the steps so far."""

    def __init__(self) -> None:
        self.state: State = {}
        self.last = 0
        self.epoch = 0

    def take(self, step: Step) -> None:
        """Go one step on; positions count up from the last one given."""
        self.state = dict(self.state)
        self.epoch += step.grants
        if step.operations is None:
            self.state.clear()
        for operation in step.operations or ():
            if isinstance(operation, Put):
                self.last += operation.at is None
                at = self.last if operation.at is None else operation.at
                self.state[operation.key] = operation.value, at
            else:
                self._cascade(operation.key)

    def _cascade(self, key: str) -> None:
        below = key + "/"
        self.state = {
            name: record
            for name, record in self.state.items()
            if name != key and not name.startswith(below)
        }


def write_script(seed: int, length: int) -> list[Step]:
    """Make up `length` steps; each that changes anything changes it in a way of its own."""
    dice = random.Random(seed)
    steps = [Step((Put("session/creds", b"creds", 5), Put("chat/1", b"one", 6)))]
    while len(steps) < length:
        if dice.random() < 0.04:
            steps.append(Step(None))
        operations = tuple(_operation(dice) for _ in range(dice.choice((1, 1, 2, 3, 6))))
        steps.append(Step(operations, grants=dice.random() < 0.1))
    return steps[:length]


def _operation(dice: random.Random) -> Operation:
    if dice.random() < 0.25:
        return Delete(dice.choice((*KEYS, *ROOTS)))
    at = dice.choice((None, dice.randrange(2**40)))
    return Put(dice.choice(KEYS), dice.randbytes(dice.choice(SIZES)), at)
