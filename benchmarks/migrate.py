"""The command `python -m benchmarks migrate`: wa-migrate on a large session, beside raw drivers.

The idea: whoever moves a session must at least read every record from the one side and write it
to the other. Raw drivers do that with the same records on the same servers in the same run; the
slower of the two is the floor. The command is a process of its own, and so is its memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Protocol

from wa_conformance.servers import ServerError
from wa_core.migrate import Phase
from wa_core.storage import Batch, open_engine

from benchmarks import migratepage, record
from benchmarks.floors.files import FilesFloor
from benchmarks.kinds import KINDS, PATIENCE, Backend, folder_alone
from benchmarks.place import CHAT, PART_BYTES, PARTS, message_key
from benchmarks.record import Record
from benchmarks.subject import Pair

PER_BATCH = 1000
"""Records of one batch or statement of the floors, and of the filling."""
PER_CHAT = 1000
"""Messages of one chat."""
DOCS = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"
PAIRS = ("file:sqlite", "redis:postgres", "sqlite:postgres")
SESSION = "moved"
WEIGHING = Path(__file__).with_name("weighing.py")


class Bulk(Protocol):
    """What a floor does here: everything in, everything out."""

    async def put(self, pairs: Sequence[Pair]) -> None:
        """Write some records in one step."""

    async def scan(self) -> int:
        """Read everything; return how many records there are."""

    async def close(self) -> None:
        """Let go of the backend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Where a session can be moved from or to."""

    title: str
    durable: str
    start: Callable[[Path], AbstractAsyncContextManager[Backend]]
    open_floor: Callable[[str, str], Awaitable[Bulk]]
    engine_url: Callable[[str, str], str]


def _files_url(url: str, session: str) -> str:
    return f"file:{url}?{PATIENCE}#{session}"


ENDS: Mapping[str, End] = {
    "file": End(
        title="files",
        durable="a journal, `fsync`",
        start=folder_alone,
        open_floor=FilesFloor.open,
        engine_url=_files_url,
    ),
    **{
        kind.name: End(
            title=kind.title,
            durable=kind.durable,
            start=kind.start,
            open_floor=kind.open_floor,
            engine_url=kind.engine_url,
        )
        for kind in KINDS.values()
    },
}


def main(arguments: Sequence[str]) -> int:
    """Measure the pairs, print, and write the page."""
    options = _parser().parse_args(arguments)
    records = asyncio.run(_all(options))
    if options.json:
        print(json.dumps(records, indent=2))
    if options.out is not None:
        migratepage.write(options.out, records)
    return 0


async def _all(options: argparse.Namespace) -> dict[str, Record]:
    records: dict[str, Record] = {}
    for name in options.pair or PAIRS:
        source, _, target = name.partition(":")
        folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=options.dir))
        say(f"{name}:")
        begun = perf_counter()
        try:
            found = await _measured(ENDS[source], ENDS[target], folder, options.keys)
            command = f"python -m benchmarks migrate --keys {options.keys} --pair {name}"
            seconds = perf_counter() - begun
            records[name] = {"facts": record.facts(command, rounds=1, seconds=seconds), **found}
            say(f"  {migratepage.line_of(records[name])}")
        except ServerError as exc:
            records[name] = {"not_run": str(exc).splitlines()[0]}
            say(f"  not run: {exc}")
        finally:
            shutil.rmtree(folder)
    return records


async def _measured(source: End, target: End, folder: Path, keys: int) -> Record:
    places = [folder / "source", folder / "target"]
    for place in places:
        place.mkdir()
    async with source.start(places[0]) as mine, target.start(places[1]) as its:
        urls = source.engine_url(mine.url, SESSION), target.engine_url(its.url, SESSION)
        await _fill(urls[0], keys)
        floors = await _floors(source, mine, target, its, keys)
        os.sync()
        ours = await _moved(*urls, folder, keys)
        return {
            "keys": keys,
            "source": f"{source.title} ({_version(mine)}; {source.durable})",
            "target": f"{target.title} ({_version(its)}; {target.durable})",
            "read_floor_s": round(floors[0], 6),
            "write_floor_s": round(floors[1], 6),
            **ours,
            **_judged(ours, max(floors)),
        }


def _version(backend: Backend) -> str:
    """Return the version; the path of the program is this machine's own."""
    return backend.origin.partition(" (")[0]


async def _fill(url: str, keys: int) -> None:
    async with await open_engine(url) as engine:
        for pairs in batches(keys):
            batch = Batch()
            for key, value in pairs:
                batch.put(key, value)
            await engine.apply(batch)
    say(f"  filled: {keys:,} keys")


async def _floors(
    source: End, mine: Backend, target: End, its: Backend, keys: int
) -> tuple[float, float]:
    """Take the seconds to read all from the source's side, and to write all to the target's."""
    async with AsyncExitStack() as ends:
        reader = await source.open_floor(mine.url, "source")
        ends.push_async_callback(reader.close)
        for pairs in batches(keys):
            await reader.put(pairs)
        os.sync()
        begun = perf_counter()
        found = await reader.scan()
        read = perf_counter() - begun
        if found != keys:
            raise RuntimeError(f"the floor read {found} of {keys} records")
        writer = await target.open_floor(its.url, "target")
        ends.push_async_callback(writer.close)
        os.sync()
        written = 0.0
        for pairs in batches(keys):
            begun = perf_counter()
            await writer.put(pairs)
            written += perf_counter() - begun
    say(f"  floors: read {read:.1f} s, written {written:.1f} s")
    return read, written


async def _moved(source: str, target: str, folder: Path, keys: int) -> Record:
    """Run the console command by itself; take its time, its phases and its peak."""
    taken, lines = folder / "taken.json", folder / "lines.json"
    command = [str(Path(sys.executable).with_name("wa-migrate")), "--json"]
    command += ["--from", source, "--to", target]
    with lines.open("wb") as output:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", str(WEIGHING), str(taken), *command, stdout=output
        )
        code = await child.wait()
    told = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    if code:
        raise RuntimeError(f"wa-migrate ended with {code}: {told[-1:]}")
    if (told[-1]["records"], told[-1]["removed"]) != (keys, keys):
        raise RuntimeError(f"wa-migrate says of {keys} records: {told[-1]}")
    cost = json.loads(taken.read_text(encoding="utf-8"))
    return {**{name: round(value, 2) for name, value in cost.items()}, "phases": phases(told)}


def phases(told: Sequence[Record]) -> dict[str, float]:
    """Return how long each phase took, from the lines that `--json` writes.

    A line comes after the work that it tells of, so the time up to it belongs to its phase.
    """
    spent: dict[str, float] = {}
    before = 0.0
    for line in told:
        if line["event"] == "progress":
            spent[line["phase"]] = spent.get(line["phase"], 0.0) + line["seconds"] - before
            before = line["seconds"]
    return {phase: round(seconds, 2) for phase, seconds in spent.items()}


def _judged(ours: Record, floor_s: float) -> Record:
    spent = {
        "whole": ours["seconds"],
        "moved": ours["seconds"] - ours["phases"].get(Phase.REMOVING, 0.0),
        "copying": ours["phases"][Phase.COPYING],
    }
    # Of a few records the clock of the lines may see nothing.
    speeds = {name: round(floor_s / max(seconds, 1e-3), 4) for name, seconds in spent.items()}
    return {"speeds": speeds}


def batches(keys: int) -> Iterator[list[Pair]]:
    """Make up the records, the same each time: messages of chat after chat, three keys each."""
    dice = random.Random(1)
    names = islice(_names(), keys)
    sizes = dict(zip(PARTS, PART_BYTES, strict=True))
    while some := list(islice(names, PER_BATCH)):
        yield [(key, dice.randbytes(sizes[key.rpartition("/")[2]])) for key in some]


def _names() -> Iterator[str]:
    number = 0
    while True:
        for part in PARTS:
            yield message_key(number).replace(CHAT, f"{number // PER_CHAT:05}{CHAT}") + f"/{part}"
        number += 1


def say(line: str) -> None:
    """Tell of progress."""
    print(line, file=sys.stderr, flush=True)


def pair_of(text: str) -> str:
    """Read `redis:postgres`."""
    source, _, target = text.partition(":")
    if source not in ENDS or target not in ENDS or source == target:
        raise argparse.ArgumentTypeError(f"two different ones of {', '.join(ENDS)}, with a colon")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks migrate", description=__doc__)
    parser.add_argument("--keys", type=int, default=1_000_000, help="records (default: a million)")
    parser.add_argument(
        "--pair", action="append", type=pair_of, help=f"SOURCE:TARGET (default: {', '.join(PAIRS)})"
    )
    parser.add_argument("--json", action="store_true", help="print all numbers")
    parser.add_argument("--dir", default=".", help="a folder on the disk to measure (default: .)")
    parser.add_argument("--out", type=Path, default=DOCS, help="where to write the page")
    return parser
