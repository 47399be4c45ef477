"""wa-migrate as a process that is killed (SIGKILL) somewhere, and run again."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from asyncio.subprocess import PIPE
from dataclasses import dataclass

LEASE_S = 2.0
LAST_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Ran:
    """How a process ended."""

    code: int
    lines: list[dict[str, object]]

    @property
    def outcome(self) -> object:
        """What the report says, if there is one."""
        return self.lines[-1].get("outcome") if self.lines else None


async def migrate(source: str, target: str, *more: str, kill_after: int | None = None) -> Ran:
    """Run the command; with `kill_after`, kill it a moment after so many lines of progress."""
    words = ("--from", source, "--to", target, "--json", "--lease", str(LEASE_S), *more)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wa_core.cli.migrate", *words, stdout=PIPE
    )
    assert process.stdout is not None
    lines = []
    async for line in process.stdout:
        lines.append(json.loads(line))
        if len(lines) == kill_after:
            # The work goes on beside us: a moment later it is at another step.
            await asyncio.sleep(random.random() * LAST_PAUSE_S)
            if process.returncode is None:
                process.kill()
    return Ran(await process.wait(), lines)


KILLED = -signal.SIGKILL
