"""A process that has loaded every engine, and forks a wa-migrate for each line of its input.

What it forks is the command as users start it, but for two things: batches are small, so that a
small session needs many, and the beginning and the end of each write is told beside the progress.
It loads and then only forks: no loop, no thread and no connection is ever shared.
"""

from __future__ import annotations

import json
import os
import pkgutil
import sys
import traceback
from importlib import import_module
from importlib.metadata import entry_points

from wa_core.cli.migrate import main as wa_migrate
from wa_core.migrate import stream, transfer
from wa_core.storage import Batch, Engine, Lease

BATCH_RECORDS = 8


def say(event: str, **facts: object) -> None:
    """Write one line in one piece, that of a process that is killed, too."""
    os.write(1, json.dumps({"event": event, **facts}).encode() + b"\n")


def load() -> None:
    """Import the engines whole, so that no child has to."""
    packages = {point.module.partition(".")[0] for point in entry_points(group="wa.engines")}
    for package in packages - {"wa_core"}:
        for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            if not module.name.endswith(".conformance"):
                import_module(module.name)


def tell_writes() -> None:
    """Say when a write begins and ends, and make them many."""
    stream.BATCH_RECORDS = transfer.REMOVE_RECORDS = BATCH_RECORDS
    apply = Engine.apply

    async def told(self: Engine, batch: Batch, *, fence: Lease | None = None) -> None:
        say("write", operations=len(batch))
        await apply(self, batch, fence=fence)
        say("written")

    Engine.apply = told  # type: ignore[method-assign]


def live(words: list[str]) -> None:
    """Be the command, and end without returning to whoever forked it."""
    code = 70
    try:
        code = wa_migrate(words)
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def nurse() -> None:
    """Fork, say who it is, say how it ended; its number stays its own until the next line."""
    gone: list[int] = []
    say("ready")
    for line in sys.stdin:
        while gone:
            os.waitpid(gone.pop(), 0)
        child = os.fork()
        if child == 0:
            live(json.loads(line))
        say("born", pid=child)
        end = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        assert end is not None
        say("ended", code=end.si_status if end.si_code == os.CLD_EXITED else -end.si_status)
        gone.append(child)


if __name__ == "__main__":
    load()
    tell_writes()
    nurse()
