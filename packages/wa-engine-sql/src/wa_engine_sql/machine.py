"""This machine as the backend of a file: its clock for leases, and the life that it is in.

The idea: time that runs on while the machine sleeps, and never steps. After a restart it begins
anew, so that a lease says in which life of the machine it was taken; those of an earlier one are
over, as their holders are.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache

from wa_core.storage.leasebook import suspend_clock


def running_us() -> int:
    """Return microseconds on the clock of leases, the same for all processes of the machine."""
    return int(suspend_clock() * 1_000_000)


@cache
def boot_id() -> str:
    """Return the name of the machine's present life, or a constant where it has none."""
    with suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as found:
        return found.read().strip()
    return "this machine"
