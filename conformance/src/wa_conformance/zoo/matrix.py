"""The command that tries the suite on the zoo: `python -m wa_conformance.zoo.matrix`.

Exit code 0: every specimen is killed at the clause it breaks, every control lives, the document is
up to date. 1: not so. 2: the command was wrong.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from wa_conformance.zoo.rounds import Keeper
from wa_conformance.zoo.table import Matrix, section_of, written
from wa_conformance.zoo.trial import Trial, chosen, controls, specimens


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the trials that the arguments ask for, and judge them."""
    options = _parser().parse_args(arguments)
    engines = {**controls(), **specimens()}
    unknown = {*options.without} - {check.id for check in chosen()} | {*options.only} - {*engines}
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    begun = time.perf_counter()
    with Keeper(options.without, jobs=options.jobs, thorough=options.thorough) as keeper:
        if options.only:
            return _print_killers(keeper.all_of(options.only))
        if options.without:
            return _print_survivors(keeper.survivors(), options.without)
        matrix, healthy = keeper.matrix(), keeper.all_of(list(controls()))
    if options.times:
        _print_times([*healthy, *matrix.trials])
    faults = [*_faults(matrix, healthy), *_document(matrix, options)]
    print("\n".join(faults) or "every specimen is killed at its clause, every control lives")
    print(
        f"{len(engines)} engines, {len(matrix.checks)} checks, {time.perf_counter() - begun:.0f} s"
    )
    return 1 if faults else 0


def _faults(matrix: Matrix, healthy: Sequence[Trial]) -> list[str]:
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


def _print_survivors(alive: Sequence[str], without: Sequence[str]) -> int:
    print(f"without {', '.join(without)} these survive: {', '.join(alive) or 'none'}")
    return 0 if alive else 1


def _print_killers(trials: Sequence[Trial]) -> int:
    for trial in trials:
        print(f"\n{trial.name} ({trial.clause or 'healthy'})")
        for name, message in trial.killed_by.items():
            print(f"  {name}: {message[:200].splitlines()[0] if message else ''}")
    return 0


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
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="CHECK-ID",
        help="switch a check off, and say which specimens survive",
    )
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (2)")
    parser.add_argument(
        "--thorough", action="store_true", help="try every slow check on every witness"
    )
    parser.add_argument("--times", action="store_true", help="print what took how long")
    return parser


if __name__ == "__main__":
    sys.exit(main())
