"""Which processes a process started: a server's workers stop and die with it.

PostgreSQL has one per connection, each in a group of its own, so a signal to a group reaches none.
"""

from __future__ import annotations

import os
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
    try:
        os.kill(pid, 0)
        return not (stat := _PROC / str(pid) / "stat").exists() or _fields(stat)[0] != "Z"
    except OSError:
        return False


def _parents() -> Iterator[tuple[int, int]]:
    if not (_PROC / "self" / "stat").exists():
        listing = subprocess.run(("ps", "-A", "-o", "pid=,ppid="), capture_output=True, check=True)
        for line in listing.stdout.splitlines():
            child, parent = line.split()
            yield int(child), int(parent)
        return
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                yield int(entry.name), int(_fields(entry / "stat")[1])
            except OSError:
                continue


def _fields(stat: Path) -> list[str]:
    # The name in parentheses may hold anything, spaces and parentheses too.
    return stat.read_text().rpartition(")")[2].split()
