"""The page of the documentation, made from the records of one or more engines.

Two tables of ratios for the engines on servers, engines side by side; and for the file engine,
whose lines are its own, one table as it always was.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.item import Rival, Sense
from benchmarks.record import Record

MET = {True: "met", False: "**missed**", None: "no target"}
NOTES = (Path(__file__).parent / "notes.txt").read_text(encoding="utf-8")
FILE_NOTES = (Path(__file__).parent / "notes-file.txt").read_text(encoding="utf-8")
FILE = "file"
PEERS = tuple(rival for rival in Rival if rival is not Rival.FLOOR)
TABLES = (
    ("Against the floor", "storage-floor.svg", (Rival.FLOOR,)),
    ("Against peers", "storage-peers.svg", PEERS),
)
"""Heading, plot, and who the other side is."""


def as_markdown(engines: Mapping[str, Record], titles: Mapping[str, str]) -> str:
    """Write the page."""
    servers = {name: record for name, record in engines.items() if name != FILE}
    lines = ["# Speed of the storage engines", "", "This page is written by `./dev bench storage`."]
    lines += ["", NOTES.strip()]
    if servers:
        lines += ["", *_runs(servers, titles)]
        for heading, plot, rivals in TABLES:
            lines += ["", f"## {heading}", "", f"![{heading}]({plot})", ""]
            lines += _table(servers, titles, rivals)
            lines += _missed(servers, titles, rivals)
        lines += ["", "## What a key takes", "", *_weights(servers, titles)]
    if FILE in engines:
        lines += ["", "## The file engine", "", *_file(engines[FILE])]
    return "\n".join(lines) + "\n"


def line_of(item: Record) -> str:
    """Say in one line what was measured."""
    target = "" if item["target"] is None else f" (target {bound(item)})"
    verdict = MET[item["met"]].strip("*")
    name, rival = item["name"], item["rival"]
    return f"{rival:24} {name:16} {item['sense']} {item['ratio']:6.2f}{target}: {verdict}"


def bound(item: Record) -> str:
    """Write a target with its sense."""
    return f"{'≥' if item['sense'] == Sense.SPEED else '≤'} {item['target']:g}"


def _runs(engines: Mapping[str, Record], titles: Mapping[str, str]) -> Iterator[str]:
    yield "| engine | measured on | durable by | date | Python, cores | load | rounds, seconds |"
    yield "|---|---|---|---|---|---|---|"
    for name, record in engines.items():
        if "facts" not in record:
            yield f"| {titles[name]} | **not run**: {record['not_run']} | | | | | |"
            continue
        facts = record["facts"]
        busy = " **busy: read as hints**" if facts["load"] > facts["cores"] else ""
        yield (
            f"| {titles[name]} | {facts['backend']} | {facts['durable']} | {facts['date']} "
            f"| {facts['python']}, {facts['cores']} | {facts['load']}{busy} "
            f"| {facts['rounds']}, {facts['seconds']} |"
        )


def _table(
    engines: Mapping[str, Record], titles: Mapping[str, str], rivals: Sequence[Rival]
) -> Iterator[str]:
    """Write one line for each item and rival, one column for each engine."""
    found: dict[tuple[str, str], dict[str, Record]] = {}
    for name, record in engines.items():
        for item in record.get("items", ()):
            if item["rival"] in rivals and item["unit"] == "us":
                found.setdefault((item["rival"], item["name"]), {})[name] = item
    columns = [name for name, record in engines.items() if "items" in record]
    yield f"| what | against | | target | {' | '.join(titles[name] for name in columns)} |"
    yield f"|---|---|---|---|{'---|' * len(columns)}"
    for (rival, _), items in sorted(
        found.items(), key=lambda entry: rivals.index(Rival(entry[0][0]))
    ):
        one = next(iter(items.values()))
        bounds = dict.fromkeys(bound(item) for item in items.values() if item["target"] is not None)
        cells = " | ".join(_cell(items.get(name)) for name in columns)
        against = one["against"] if one["against"].startswith("our own") else rival
        yield f"| {one['title']} | {against} | {one['sense']} | {', '.join(bounds)} | {cells} |"


def _cell(item: Record | None) -> str:
    if item is None:
        return "not run"
    ratios = item["ratios"]
    ratio = f"{item['ratio']:.2f}"
    strong = f"**{ratio}**" if item["met"] is False else ratio
    return f"{strong} ({min(ratios):.2f} to {max(ratios):.2f})"


def _missed(
    engines: Mapping[str, Record], titles: Mapping[str, str], rivals: Sequence[Rival]
) -> Iterator[str]:
    """Name what misses its target and, against peers, all where the peer is faster."""
    lines = [
        f"- {titles[name]}, {item['title']}, against {item['rival']}: {item['ratio']:.2f}"
        + ("" if item["target"] is None else f", target {bound(item)}")
        for name, record in engines.items()
        for item in record.get("items", ())
        if item["rival"] in rivals
        and (item["met"] is False or (item["rival"] != Rival.FLOOR and item["ratio"] < 1))
    ]
    floor = Rival.FLOOR in rivals
    yield ""
    if lines:
        yield "Missed:" if floor else "Missed, or slower than the peer:"
        yield ""
        yield from lines
    else:
        yield "All targets are met." if floor else "All targets are met, and no peer is faster."


def _weights(engines: Mapping[str, Record], titles: Mapping[str, str]) -> Iterator[str]:
    yield "Bytes stored per key beside a value of 1 KB of noise. Ours hold the key, its order under"
    yield "each folder above it, and what finds damage; the floor the key and one index entry."
    yield ""
    yield "| engine | ours | the floor | cost |"
    yield "|---|---|---|---|"
    for name, record in engines.items():
        for item in record.get("items", ()):
            if item["unit"] == "bytes":
                ours, other = item["ours"][0], item["other"][0]
                yield f"| {titles[name]} | {ours:.0f} | {other:.0f} | {item['ratio']:.2f} |"


def _file(record: Record) -> Iterator[str]:
    if "facts" not in record:
        yield f"**Not run**: {record['not_run']}"
        return
    facts = record["facts"]
    yield (
        f"`{facts['command']}` on {facts['date']}: Python {facts['python']}, {facts['cores']} "
        f"cores, {facts['rounds']} rounds, {facts['seconds']} s. The load over the last five "
        f"minutes was {facts['load']}, our own process included."
    )
    yield ""
    yield "| what | against | | ratio (lowest to highest) | target | | ours | other |"
    yield "|---|---|---|---|---|---|---|---|"
    for item in record["items"]:
        yield _row(item)
    yield ""
    yield FILE_NOTES.strip()


def _row(item: Record) -> str:
    ratios: Sequence[float] = item["ratios"]
    spread = f"{item['ratio']:.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    target = "" if item["target"] is None else bound(item)
    times = f"{_time(item['ours'])} | {_time(item['other'])}"
    return (
        f"| {item['title']} | {item['against']} | {item['sense']} | {spread} | {target} "
        f"| {MET[item['met']]} | {times} |"
    )


def _time(microseconds: Sequence[Any]) -> str:
    median = statistics.median(microseconds)
    if median >= 1e6:
        return f"{median / 1e6:.2f} s"
    return f"{median / 1e3:.2f} ms" if median >= 1e3 else f"{median:.1f} µs"
