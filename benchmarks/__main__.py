"""The command: `python -m benchmarks storage`, also `./dev bench storage`."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter

from benchmarks import report, storage
from benchmarks.item import Item, Result, measure
from benchmarks.place import QUICK, Place, Sizes

SUITES: Mapping[str, tuple[str, tuple[Item, ...]]] = {
    "storage": ("Speed of the storage engines", storage.ITEMS),
}
DOCS = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and after a whole run write the page of the documentation."""
    options = _parser().parse_args(arguments)
    title, items = SUITES[options.suite]
    chosen = [item for item in items if not options.only or item.name in options.only]
    sizes = QUICK if options.quick else Sizes()
    begun = perf_counter()
    results = asyncio.run(_measured(chosen, sizes, options.dir))
    run = report.Run(
        command=_command(options),
        rounds=sizes.rounds,
        seconds=perf_counter() - begun,
        results=results,
    )
    if options.json:
        print(report.as_json(run), end="")
    out = options.out or (None if options.quick or options.only else DOCS)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        page = out / f"{options.suite}.md"
        page.write_text(report.as_markdown(run, title=title), encoding="utf-8")
        page.with_suffix(".json").write_text(report.as_json(run), encoding="utf-8")
    missed = [result.item.name for result in results if result.met is False]
    if missed:
        print("missed:", *missed, file=sys.stderr)
    return 0


async def _measured(items: Sequence[Item], sizes: Sizes, disk: str) -> list[Result]:
    folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=disk))
    place, results = Place(folder, sizes), []
    try:
        for item in items:
            results.append(await measure(item, place, rounds=sizes.rounds))
            print(report.as_text(results[-1]), file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(folder)
    return results


def _command(options: argparse.Namespace) -> str:
    """Say what to type for the same measurement; where it was made is nobody's business."""
    quick = ["--quick"] if options.quick else []
    only = [f"--only {name}" for name in options.only or ()]
    return " ".join(["python -m benchmarks", options.suite, *quick, *only])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suite", choices=sorted(SUITES))
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run at all?")
    names = sorted(item.name for _, items in SUITES.values() for item in items)
    parser.add_argument("--only", action="append", metavar="NAME", choices=names, help=f"{names}")
    parser.add_argument("--json", action="store_true", help="print all numbers")
    parser.add_argument("--dir", default=".", help="a folder on the disk to measure (default: .)")
    parser.add_argument("--out", type=Path, help="where to write the page (default: docs)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
