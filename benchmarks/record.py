"""What a run leaves behind: results as plain data, kept per engine in one JSON file.

The idea: engines are measured one after another, and on other days; each brings the facts of its
own run, and a page made from the file says of each line where it comes from.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.item import Result, Unit

Record = dict[str, Any]
"""One engine's run: its facts, and its items; or why it was not run."""


def facts(command: str, *, rounds: int, seconds: float, backend: str = "") -> Record:
    """Write down what a reader must know of a run besides its results."""
    return {
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[1], 1),
        "rounds": rounds,
        "seconds": round(seconds),
        "backend": backend,
    }


def item_record(result: Result) -> Record:
    """Write down all numbers of one result; times in microseconds."""
    item = result.item
    scale = 1e6 if item.unit is Unit.SECONDS else 1.0
    return {
        "name": item.name,
        "title": item.title,
        "rival": str(item.rival),
        "against": item.against,
        "sense": str(item.sense),
        "unit": "us" if item.unit is Unit.SECONDS else str(item.unit),
        "target": item.target,
        "ratio": round(result.ratio, 3),
        "ratios": [round(ratio, 3) for ratio in result.ratios],
        "met": result.met,
        "ours": _scaled(result.ours, scale),
        "other": _scaled(result.other, scale),
    }


def load(path: Path) -> dict[str, Record]:
    """Read the records of earlier runs, if there are any."""
    if not path.exists():
        return {}
    engines: dict[str, Record] = json.loads(path.read_text(encoding="utf-8"))["engines"]
    return engines


def merged(
    earlier: Mapping[str, Record], new: Mapping[str, Record], order: Iterable[str]
) -> dict[str, Record]:
    """Put new records in the place of earlier ones of the same engines."""
    both = {**earlier, **new}
    return {name: both[name] for name in order if name in both}


def as_json(engines: Mapping[str, Record]) -> str:
    """Write records as JSON."""
    return json.dumps({"engines": engines}, indent=2) + "\n"


def _scaled(values: Iterable[float], scale: float) -> list[float]:
    return [round(value * scale, 1) for value in values]
