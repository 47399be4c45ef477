"""Results as text, as Markdown for the documentation, and as JSON for programs."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from benchmarks.item import Result, Sense

MET = {True: "met", False: "**missed**", None: "no target"}

NOTES = """\
How to read it. Every line is a ratio of two times measured side by side. *speed* is the other's
time by ours: 2 is twice as fast as the other, and the target is the least. *cost* is our time by
the other's: 2 is twice as slow, and the target is the most. Each line runs one round to warm up and
then the rounds that count; in each, both sides run one after the other, and who begins alternates.
The ratio is the median of the rounds, next to it the lowest and the highest. The times are the
medians, per operation, and tell more about the machine than about the code.

How it is measured, where it matters:

- A floor is plain system calls in a loop: no event loop, no index, no batches, no checks. Ours goes
  through `open_engine` and the public methods, one call after the other.
- Both sides write the same bytes under the same paths, each into a folder of its own on the same
  file system, with the same number of messages in the chat. Those are empty: nothing reads them.
- What one side leaves dirty is written out (`sync`) before the other begins. So the lines on ingest
  do not hold what the file engine puts off (it syncs its folder when 8 MiB of journal are full, and
  on close). The line that closes the store does, and far more often than in real life: every 200
  messages instead of every 6,000 or so.
- Where a message needs a folder of its own, the floor makes it with one `mkdir` and does not sync
  that entry. A floor that kept every promise would be slower than this one.
- The folders are in the page cache: opening is measured warm, on both sides.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a reader must know of a run besides its results."""

    command: str
    rounds: int
    seconds: float
    results: Sequence[Result]


def as_json(run: Run) -> str:
    """Write down everything that was measured."""
    content = {**_facts(run), "items": [_item(result) for result in run.results]}
    return json.dumps(content, indent=2) + "\n"


def as_markdown(run: Run, *, title: str) -> str:
    """Write the page of the documentation."""
    facts = _facts(run)
    lines = [
        f"# {title}",
        "",
        f"`{run.command}` on {facts['date']}: Python {facts['python']}, {facts['cores']} cores, "
        f"{run.rounds} rounds, {run.seconds:.0f} s. The load over the last five minutes was "
        f"{facts['load']}, our own process included. This page is written by that command.",
        "",
        "| what | against | | ratio (lowest to highest) | target | | ours | other |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(result) for result in run.results),
        "",
        NOTES,
    ]
    return "\n".join(lines)


def as_text(result: Result) -> str:
    """Say in one line what was measured."""
    target = "" if result.item.target is None else f" (target {_bound(result)})"
    verdict = MET[result.met].strip("*")
    return f"{result.item.name:18} {result.item.sense} {result.ratio:6.2f}{target}: {verdict}"


def _facts(run: Run) -> dict[str, Any]:
    return {
        "command": run.command,
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[1], 1),
        "rounds": run.rounds,
    }


def _item(result: Result) -> dict[str, Any]:
    item = result.item
    return {
        "name": item.name,
        "title": item.title,
        "against": item.against,
        "sense": str(item.sense),
        "target": item.target,
        "ratio": round(result.ratio, 3),
        "ratios": [round(ratio, 3) for ratio in result.ratios],
        "met": result.met,
        "ours_us": _microseconds(result.ours),
        "other_us": _microseconds(result.other),
    }


def _microseconds(seconds: Iterable[float]) -> list[float]:
    return [round(second * 1e6, 1) for second in seconds]


def _row(result: Result) -> str:
    item, ratios = result.item, result.ratios
    spread = f"{result.ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    bound = "" if item.target is None else _bound(result)
    times = f"{_time(result.ours)} | {_time(result.other)}"
    return (
        f"| {item.title} | {item.against} | {item.sense} | {spread} | {bound} "
        f"| {MET[result.met]} | {times} |"
    )


def _bound(result: Result) -> str:
    sign = "≥" if result.item.sense is Sense.SPEED else "≤"
    return f"{sign} {result.item.target:g}"


def _time(seconds: Sequence[float]) -> str:
    median = statistics.median(seconds)
    if median >= 1:
        return f"{median:.2f} s"
    return f"{median * 1e3:.2f} ms" if median >= 1e-3 else f"{median * 1e6:.1f} µs"
