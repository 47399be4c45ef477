"""Who is tried by what: two rounds, so that not everybody waits for the slow checks.

The first round tries every specimen by the checks of its clause and all quick ones. The second
round tries slow ones on those for whom it matters: a specimen that a single check has killed
is a witness for that check, if nothing else does.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Self

from wa_core.storage import MemoryEngine

from wa_conformance.zoo.table import Matrix
from wa_conformance.zoo.trial import (
    ENOUGH,
    Trial,
    chosen,
    controls,
    is_machine,
    opened_zoo,
    specimens,
    tried_by_name,
)

WAVES = 4
"""How many candidates a check may bring forward before it counts as needed by nobody."""


class Keeper:
    """Tries engines in a few processes."""

    def __init__(self, without: Sequence[str], *, jobs: int, thorough: bool = False) -> None:
        self._without = tuple(without)
        self._thorough = thorough
        self._jobs = jobs
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(opened_zoo())
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(self._jobs, mp_context=context)
        self._pool = self._open.enter_context(pool)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def matrix(self) -> Matrix:
        """Try all specimens, and confirm a witness for as many checks as there is one for."""
        matrix = Matrix(chosen(without=self._without), self._round(list(specimens())))
        for _ in range(WAVES):
            wanted = {name for check in matrix.unneeded() for name in matrix.candidates(check)[:1]}
            if not wanted:
                break
            self._complete(matrix.trials, wanted)
        return matrix

    def survivors(self) -> list[str]:
        """List the specimens that live without the checks that are switched off."""
        switched_off = [check for check in chosen() if check.id in self._without]
        machines = {check.id for check in chosen() if is_machine(check)}
        if any(is_machine(check) for check in switched_off):
            machines = set()
        trials = self._round(list(specimens()), enough=1 + len(machines))
        alive = [trial for trial in trials if not set(trial.killed_by) - machines]
        self._complete(alive, {trial.name for trial in alive})
        return [trial.name for trial in alive if not set(trial.killed_by) - machines]

    def all_of(self, names: Sequence[str]) -> list[Trial]:
        """Try some engines by everything."""
        trials = self._round(names, enough=10**6)
        self._complete(trials, set(names))
        return trials

    def _complete(self, trials: Sequence[Trial], names: set[str]) -> None:
        by_name = {trial.name: trial for trial in trials}
        for further in self._round(sorted(names), second=True):
            by_name[further.name].add(further)

    def _round(
        self, names: Sequence[str], *, second: bool = False, enough: int = ENOUGH
    ) -> list[Trial]:
        engines = {**controls(), **specimens()}
        # Those with a disk first: they take longest.
        order = sorted(names, key=lambda name: issubclass(engines[name], MemoryEngine))
        work = partial(
            tried_by_name,
            without=self._without,
            second=second,
            enough=enough,
            thorough=self._thorough,
        )
        found: dict[str, Trial] = {}
        for trial in self._pool.map(work, order):
            found[trial.name] = trial
            self._tell(f"{len(found)}/{len(order)}", trial)
        return [found[name] for name in names]

    def _tell(self, place: str, trial: Trial) -> None:
        seconds = sum(trial.seconds.values())
        killers = " ".join(trial.killed_by) or "lives"
        print(f"{place} {trial.name} {seconds:.1f} s: {killers}", file=sys.stderr)
