"""Which processes a process started: a server's workers stop and die with it.

PostgreSQL has one per connection, each in a group of its own, so a signal to a group reaches none.
"""

from __future__ import annotations

import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")


def descendants(pid: int) -> list[int]:
    """List the process ids below one, parents before children."""
    children = defaultdict(list)
    for child, parent in _parents():
        children[parent].append(child)
    found = children[pid]
    for one in found:
        found += children[one]
    return found


def lives(pid: int) -> bool:
    """Tell whether a process is there; one that only waits to be buried is not."""
    return _state(pid) not in {"", "Z"}


def stands(pid: int) -> bool:
    """Tell whether a process does nothing: it was stopped, or has ended."""
    return _state(pid) in {"", "Z", "T"}


def _state(pid: int) -> str:
    if _stat(_PROC / "self").exists():
        try:
            return _fields(_stat(_PROC / str(pid)))[0]
        except OSError:
            return ""
    words = ("ps", "-o", "stat=", "-p", str(pid))
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout[:1]


def _parents() -> Iterator[tuple[int, int]]:
    if not _stat(_PROC / "self").exists():
        listing = subprocess.run(("ps", "-A", "-o", "pid=,ppid="), capture_output=True, check=True)
        for line in listing.stdout.splitlines():
            child, parent = line.split()
            yield int(child), int(parent)
        return
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                yield int(entry.name), int(_fields(_stat(entry))[1])
            except OSError:
                continue


def _stat(process: Path) -> Path:
    return process / "stat"


def _fields(stat: Path) -> list[str]:
    # The name in parentheses may hold anything, spaces and parentheses too.
    return stat.read_text().rpartition(")")[2].split()
