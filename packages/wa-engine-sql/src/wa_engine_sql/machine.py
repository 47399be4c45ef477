"""This machine as the backend of a file: its clock for leases, and what its file systems keep.

The idea: time that runs on while the machine sleeps, and never steps. After a restart it begins
anew, so that a lease says in which life of the machine it was taken; those of an earlier one are
over, as their holders are.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from functools import cache

_IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})


def running_us() -> int:
    """Return microseconds on the clock of leases, the same for all processes of the machine."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
    return time.time_ns() // 1000


@cache
def boot_id() -> str:
    """Return the name of the machine's present life, or a constant where it has none."""
    with suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as found:
        return found.read().strip()
    return "this machine"


def is_in_memory(path: str) -> bool:
    """Tell whether a file system forgets everything without power, as far as can be known."""
    device = os.stat(path).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError), open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        for line in mounts:
            mount, _, source = line.partition(" - ")
            if mount.split()[2] == wanted:
                return source.split()[0] in _IN_MEMORY
    return False
