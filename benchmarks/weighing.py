"""One command, started by a process that is smaller than it: run as a script, not imported.

The idea: Linux counts what a process was before `exec` into its peak, so a child of the harness
would weigh what the harness weighs. This file imports next to nothing, and starts the command.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main() -> int:
    """Run the command after the path of the result, with the same output; write what it took."""
    result, *command = sys.argv[1:]
    begun = time.perf_counter()
    pid = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    taken = {
        "seconds": time.perf_counter() - begun,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * 1024,
    }
    with open(result, "w", encoding="utf-8") as file:
        json.dump(taken, file)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
