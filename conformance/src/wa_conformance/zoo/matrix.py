"""The command that tries the suite on the zoo: `python -m wa_conformance.zoo.matrix`.

Exit code 0: every specimen is killed at the clause it breaks, every control lives, the document is
up to date. 1: not so. 2: the command was wrong.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

from wa_core.storage import MemoryEngine

from wa_conformance.zoo.table import Matrix, section_of, written
from wa_conformance.zoo.trial import (
    Trial,
    chosen,
    controls,
    is_machine,
    opened_zoo,
    specimens,
    tried_by_name,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the trials that the arguments ask for, and judge them."""
    options = _parser().parse_args(arguments)
    engines = {**controls(), **specimens()}
    unknown = {*options.without} - {check.id for check in chosen()} | {*options.only} - {*engines}
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    begun = time.perf_counter()
    trials = run(options.only or list(engines), options.without, jobs=options.jobs)
    checks = chosen(without=options.without)
    print(f"{len(trials)} engines, {len(checks)} checks, {time.perf_counter() - begun:.0f} s")
    if options.times:
        _print_times(trials)
    if options.only:
        _print_killers(trials)
        return 0
    matrix = Matrix(checks, [trial for trial in trials if trial.name in specimens()])
    if options.without:
        return _print_survivors(matrix, options.without)
    faults = [*_faults(matrix, trials), *_document(matrix, options)]
    print("\n".join(faults) or "every specimen is killed at its clause, every control lives")
    return 1 if faults else 0


def run(names: Sequence[str], without: Sequence[str], *, jobs: int) -> list[Trial]:
    """Try engines in a few processes, those with a disk first: they take longest."""
    engines = {**controls(), **specimens()}
    order = sorted(names, key=lambda name: issubclass(engines[name], MemoryEngine))
    context = multiprocessing.get_context("spawn")
    with opened_zoo(), ProcessPoolExecutor(jobs, mp_context=context) as pool:
        trials = pool.map(tried_by_name, order, repeat(tuple(without)))
        found = {trial.name: trial for trial in trials}
    return [found[name] for name in names]


def _faults(matrix: Matrix, trials: Sequence[Trial]) -> list[str]:
    healthy = [trial for trial in trials if trial.name in controls()]
    return [
        *(
            f"control {trial.name} fails {name}: {message}"
            for trial in healthy
            for name, message in trial.killed_by.items()
        ),
        *(
            f"{trial.name} breaks {trial.clause}, but no check of {trial.clause} sees it; "
            f"{', '.join(trial.killed_by) or 'none'} does"
            for trial in matrix.at_large()
        ),
    ]


def _document(matrix: Matrix, options: argparse.Namespace) -> list[str]:
    if options.write:
        written(options.write, matrix.text())
    if options.check:
        kept = section_of(options.check.read_text(encoding="utf-8"))
        if kept != matrix.text():
            return [f"{options.check} is out of date: write it anew with --write"]
    if not options.check and not options.write:
        print(matrix.text())
    return []


def _print_survivors(matrix: Matrix, without: Sequence[str]) -> int:
    by_name = {check.id: check for check in chosen()}
    alive = matrix.alive(beside_machines=not any(is_machine(by_name[name]) for name in without))
    print(f"without {', '.join(without)} these survive: {', '.join(alive) or 'none'}")
    return 0 if alive else 1


def _print_killers(trials: Sequence[Trial]) -> None:
    for trial in trials:
        print(f"\n{trial.name} ({trial.clause or 'healthy'})")
        for name, message in trial.killed_by.items():
            print(f"  {name}: {message.splitlines()[0][:160] if message else ''}")


def _print_times(trials: Sequence[Trial]) -> None:
    total: Counter[str] = Counter()
    for trial in trials:
        total.update(trial.seconds)
        print(f"{sum(trial.seconds.values()):8.2f} s  {trial.name}")
    for name, seconds in total.most_common():
        print(f"{seconds:8.2f} s  {name}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m wa_conformance.zoo.matrix",
        description="Try every check of the suite on every broken engine of the zoo.",
    )
    parser.add_argument("only", nargs="*", metavar="ENGINE", help="these engines, with messages")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the matrix into FILE")
    parser.add_argument("--check", type=Path, metavar="FILE", help="fail if FILE is out of date")
    parser.add_argument("--without", action="append", default=[], metavar="CHECK-ID")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (2)")
    parser.add_argument("--times", action="store_true", help="print what took how long")
    return parser


if __name__ == "__main__":
    sys.exit(main())
