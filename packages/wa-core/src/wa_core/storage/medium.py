"""What a file system keeps: engines that write files promise no more than theirs does [D2]."""

from __future__ import annotations

import os
from contextlib import suppress

_IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})


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
