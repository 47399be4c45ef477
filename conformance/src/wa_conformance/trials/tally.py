"""Runs by number and dice: whatever fails says how to have it again."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Runs:
    """The runs of one trial; the dice of a run depend on the seed and its number alone."""

    def __init__(self, trial: str, *, times: int, seed: int, only: int | None = None) -> None:
        self._trial, self._seed = trial, seed
        self.numbers = range(times) if only is None else range(only, only + 1)
        self.tally: Counter[str] = Counter()
        """What was met so far."""

    @contextmanager
    def run(self, number: int) -> Iterator[random.Random]:
        """Give the dice of one run; an error that leaves it is told how to be had again."""
        try:
            yield random.Random(f"{self._trial}/{self._seed}/{number}")
        except Exception as exc:
            exc.add_note(f"again: {self._trial} with --seed {self._seed} --only {number}")
            raise
        self.tally["runs"] += 1


def share(times: int) -> int:
    """Return how often a test runs a trial: a tenth of `times`, all of it with `WA_TRIALS=full`."""
    return times if os.environ.get("WA_TRIALS") == "full" else max(3, times // 10)


def summary(tally: Mapping[str, int]) -> str:
    """Write a tally in one line, the runs first."""
    rest = Counter(tally)
    runs = rest.pop("runs", 0)
    return ", ".join([f"{runs} runs", *(f"{name} {rest[name]}" for name in sorted(rest))])
