"""`python -m tools.abreast REPORT SESSION...`: run sessions of nox four at a time, say it in turn.

Judging an engine is a third work and two thirds waiting (for a lease to expire, for a disk), and
so are the tests; four sessions on two cores take little longer than one. What each says is printed
when it has ended; each has a nox of its own, and leaves `sessions-NAME.json` for `tools.summary`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tools.failures import log_stem
from tools.workspace import ROOT

ABREAST = 4
NOX = (str(Path(sys.executable).with_name("nox")), "--non-interactive")


def main(report: Path, wanted: Sequence[str]) -> None:
    """Run every session that has one of the names; how each ended is in its report."""
    with ThreadPoolExecutor(ABREAST) as pool:
        running = [pool.submit(run, report, name) for name in sessions(wanted)]
        for done in as_completed(running):
            print(done.result(), end="", flush=True)


def sessions(wanted: Sequence[str]) -> list[str]:
    """List the sessions that the names select: `conformance` is all that are so called."""
    command = (*NOX, "--list", "--json", "-s", *wanted)
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [one["session"] for one in json.loads(listed.stdout)]


def run(report: Path, name: str) -> str:
    """Run one session, and return all that it said."""
    file_name = "-".join(["sessions", *re.findall(r"[\w.]+", name)])
    own = report / f"{file_name}.json"
    # A nox that dies leaves no report, so the bad news is there before it begins.
    own.write_text(json.dumps({"sessions": [{"signatures": [name], "result": "failed"}]}))
    done = subprocess.run(
        (*NOX, "--report", str(own), "-s", name),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    (report / f"{log_stem(name)}.log").write_text(done.stdout, encoding="utf-8")
    return done.stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2:])
