"""The page of the documentation about wa-migrate, made from the records of its runs.

Each pair of stores takes the place of its last result, so they can be measured one by one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.record import Record

LEAST_SPEED = 0.5
MOST_BYTES = 150_000_000
NOTES = (Path(__file__).parent / "notes-migrate.txt").read_text(encoding="utf-8")
NAME = "migrate.json"


def write(out: Path, records: Mapping[str, Record]) -> None:
    """Write what there is of all pairs, these records being the newest."""
    out.mkdir(parents=True, exist_ok=True)
    data = out / NAME
    earlier: dict[str, Record] = {}
    if data.exists():
        earlier = json.loads(data.read_text(encoding="utf-8"))["pairs"]
    pairs = dict(sorted({**earlier, **records}.items()))
    data.write_text(json.dumps({"pairs": pairs}, indent=2) + "\n", encoding="utf-8")
    data.with_suffix(".md").write_text(as_markdown(pairs), encoding="utf-8")


def line_of(one: Record) -> str:
    """Say in one line what was measured."""
    spent = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in one["phases"].items())
    speeds = ", ".join(f"{name} {speed:.2f}" for name, speed in one["speeds"].items())
    return f"speed: {speeds}; peak {one['peak_bytes'] / 1e6:.0f} MB; {spent}"


def as_markdown(pairs: Mapping[str, Record]) -> str:
    """Write the page."""
    lines = ["# Speed and memory of wa-migrate", ""]
    lines += ["This page is written by `./dev bench migrate`.", "", NOTES.strip(), ""]
    bounds = f"speed ≥ {LEAST_SPEED:g}, peak < {MOST_BYTES / 1e6:.0f} MB"
    lines += [f"| {bounds} | keys | whole | moved | copying | peak |", "|---|---|---|---|---|---|"]
    lines += [_row(name, one) for name, one in pairs.items()]
    for name, one in pairs.items():
        lines += ["", f"## {_spelled(name)}", "", *_facts(one)]
    return "\n".join(lines) + "\n"


def _spelled(name: str) -> str:
    return name.replace(":", " to ")


def _row(name: str, one: Record) -> str:
    if "facts" not in one:
        return f"| {_spelled(name)} | **not run**: {one['not_run']} | | | | |"
    speeds = [
        _marked(f"{one['speeds'][part]:.2f}", met=one["speeds"][part] >= LEAST_SPEED)
        for part in ("whole", "moved", "copying")
    ]
    peak = _marked(f"{one['peak_bytes'] / 1e6:.0f} MB", met=one["peak_bytes"] < MOST_BYTES)
    return f"| {_spelled(name)} | {one['keys']:,} | {' | '.join(speeds)} | {peak} |"


def _marked(text: str, *, met: bool) -> str:
    return text if met else f"**{text} missed**"


def _facts(one: Record) -> Iterator[str]:
    if "facts" not in one:
        yield f"**Not run**: {one['not_run']}"
        return
    facts = one["facts"]
    yield (
        f"`{facts['command']}` on {facts['date']}: Python {facts['python']}, {facts['cores']} "
        f"cores, load over five minutes {facts['load']}, {facts['seconds']} s in all."
    )
    yield ""
    yield f"- from {one['source']}, to {one['target']}"
    yield f"- floors: {one['read_floor_s']:.1f} s to read, {one['write_floor_s']:.1f} s to write"
    yield f"- wa-migrate: {one['seconds']:.1f} s, {one['cpu_seconds']:.1f} s of CPU; {line_of(one)}"
