"""Where a machine has room for files in memory.

Servers under test sync every write; on a shared disk that is most of the time of a test run. What
they keep when they are killed is the same in memory, and none has to survive the machine.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

MEMORY = Path("/dev/shm")
_GIBIBYTE = 1 << 30


def place_in_memory(gibibytes: int) -> str:
    """Return a folder in memory with that much room, else nothing: the usual place will do."""
    if not os.access(MEMORY, os.W_OK) or not MEMORY.is_mount():
        return ""
    room = min(shutil.disk_usage(MEMORY).free, free_memory(Path("/proc/meminfo").read_text()))
    return str(MEMORY) if room >= gibibytes * _GIBIBYTE else ""


def free_memory(meminfo: str) -> int:
    """Return the bytes that new work may take, as Linux tells."""
    found = re.search(r"^MemAvailable: +(\d+) kB$", meminfo, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
