"""The command: `python -m benchmarks storage`, also `./dev bench storage`; `migrate` is another.

Each engine is measured by itself and takes the place of its last results; the page and the plots
are made from all that there are.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from time import perf_counter

from wa_conformance.baileys import install
from wa_conformance.servers import ServerError
from wa_core.errors import UnknownEngineError

from benchmarks import migrate, plot, record, report, servers, storage
from benchmarks.datasets import TINY, Amounts
from benchmarks.item import Item, P, Rival, measure
from benchmarks.kinds import KINDS, Kind
from benchmarks.peers import baileys
from benchmarks.place import QUICK, Place, Sizes
from benchmarks.record import Record
from benchmarks.rig import rigged

TITLES: Mapping[str, str] = {
    "file": "files",
    **{kind.name: kind.title for kind in KINDS.values()},
}
NAMES = sorted(
    {item.name for item in storage.ITEMS}
    | {item.name for kind in KINDS.values() for item in servers.items(kind)}
)
BAILEYS = (Rival.BAILEYS, Rival.BAILEYS_SYNCED)
DOCS = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and after a whole run write the page of the documentation."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["migrate"]:
        return migrate.main(words[1:])
    options = _parser().parse_args(words)
    if options.suite == "baileys":
        return install()
    if options.suite == "page":
        _write(options.out or DOCS, {})
        return 0
    records = asyncio.run(_all(options))
    if options.json:
        print(record.as_json(records), end="")
    out = options.out or (None if options.quick or options.only else DOCS)
    if out is not None:
        _write(out, records)
    missed = [
        f"{name}/{item['rival']}/{item['name']}"
        for name, one in records.items()
        for item in one.get("items", ())
        if item["met"] is False
    ]
    if missed:
        print("missed:", *missed, file=sys.stderr)
    return 0


async def _all(options: argparse.Namespace) -> dict[str, Record]:
    records: dict[str, Record] = {}
    for name in options.engine or TITLES:
        folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=options.dir))
        say(f"{name}:")
        try:
            if name == report.FILE:
                records[name] = await _file(options, folder)
            else:
                records[name] = await _server(KINDS[name], options, folder)
        except (ServerError, UnknownEngineError) as exc:
            # Nothing was measured, and the page says so; what fails while it runs is a bug.
            records[name] = {"not_run": str(exc).splitlines()[0]}
            say(f"  not run: {exc}")
        finally:
            shutil.rmtree(folder)
    return records


async def _file(options: argparse.Namespace, folder: Path) -> Record:
    sizes = QUICK if options.quick else Sizes()
    begun = perf_counter()
    items = await _measured(storage.ITEMS, Place(folder, sizes), sizes.rounds, options)
    run = _command(options, report.FILE), perf_counter() - begun
    return {"facts": record.facts(run[0], rounds=sizes.rounds, seconds=run[1]), "items": items}


async def _server(kind: Kind, options: argparse.Namespace, folder: Path) -> Record:
    amounts = TINY if options.quick else Amounts()
    begun = perf_counter()
    async with rigged(kind, folder, amounts) as rig:
        items = await _measured(servers.items(kind), rig, amounts.rounds, options)
        facts = record.facts(
            _command(options, kind.name),
            rounds=amounts.rounds,
            seconds=perf_counter() - begun,
            # Its version; the path of the program is this machine's own.
            backend=rig.backend.origin.partition(" (")[0],
        )
    return {"facts": {**facts, "durable": kind.durable}, "items": items}


async def _measured(
    items: Iterable[Item[P]], place: P, rounds: int, options: argparse.Namespace
) -> list[Record]:
    results = []
    for item in items:
        if options.only and item.name not in options.only:
            continue
        if item.rival in BAILEYS and (reason := baileys.reason_not_to_run()):
            say(f"  {item.rival:24} {item.name:16} not run: {reason}")
            continue
        results.append(record.item_record(await measure(item, place, rounds=rounds)))
        say(f"  {report.line_of(results[-1])}")
    return results


def _write(out: Path, records: Mapping[str, Record]) -> None:
    """Write what there is of all engines, these records being the newest."""
    out.mkdir(parents=True, exist_ok=True)
    data = out / "storage.json"
    engines = record.merged(record.load(data), records, TITLES)
    data.write_text(record.as_json(engines), encoding="utf-8")
    page = report.as_markdown(engines, TITLES)
    data.with_suffix(".md").write_text(page, encoding="utf-8")
    on_servers = {name: one for name, one in engines.items() if name != report.FILE}
    for heading, name, rivals in report.TABLES if on_servers else ():
        drawn = plot.as_svg(on_servers, TITLES, rivals, heading)
        (out / name).write_text(drawn, encoding="utf-8")


def say(line: str) -> None:
    """Tell of progress."""
    print(line, file=sys.stderr, flush=True)


def _command(options: argparse.Namespace, engine: str) -> str:
    """Say what to type for the same measurement; where it was made is nobody's business."""
    quick = ["--quick"] if options.quick else []
    only = [f"--only {name}" for name in options.only or ()]
    return " ".join(["python -m benchmarks", options.suite, f"--engine {engine}", *quick, *only])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "suite",
        choices=("storage", "page", "baileys"),
        help="measure; or write the page anew from its data; or install that peer, with npm",
    )
    parser.add_argument(
        "--engine", action="append", choices=list(TITLES), help="measure this one (default: all)"
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run at all?")
    parser.add_argument("--only", action="append", metavar="NAME", choices=NAMES, help=f"{NAMES}")
    parser.add_argument("--json", action="store_true", help="print all numbers")
    parser.add_argument("--dir", default=".", help="a folder on the disk to measure (default: .)")
    parser.add_argument("--out", type=Path, help="where to write the page (default: docs)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
