"""The end of `./dev test`: what ran, what did not run here and how to get it, one closing line.

On a laptop something not run is told; with CI=true it is a failure, because there nobody reads.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from xml.etree import ElementTree

from tools.failures import print_failures

OPTIONAL = "the tests on Python"
"""Python versions besides the required one are tested where they are present."""

WITH_SKIPS = ("tests-", "distributed-tests")
"""The reports whose skips tell what could have run; a judgment skips what nobody claims."""


def main(report: Path) -> int:
    """Print the summary of a report folder, and judge it."""
    sessions = _sessions(report)
    counts: Counter[str] = Counter()
    skipped: set[str] = set()
    explained: set[str] = set()
    shown: set[str] = set()
    for path in sorted(report.glob("*.xml")):
        found, reasons = read_junit(path)
        counts += found
        skipped |= reasons if path.stem.startswith(WITH_SKIPS) else set()
        if found["failed"]:
            explained.add(path.stem)
        if found["passed"]:
            shown.add(path.stem)
    left_out = sorted({*notes(report / "not-run.jsonl"), *skipped})
    failed = counts["failed"]
    unexplained = [name for name in red(sessions) if junit_stem(name) not in explained]
    failed += len(unexplained)
    if os.environ.get("CI") == "true":
        failed += sum(1 for line in left_out if not line.startswith(OPTIONAL))
    for name in hollow(sessions, shown):
        print(f"{name} calls itself a success but has no passed test: that is a failure.")
        failed += 1
    if not sessions or not counts["passed"]:
        print("No test ran: that is a failure.")
        failed += 1
    print("\nWhat ran")
    for name, result in sessions.items():
        print(f"  {result:<8} {name}")
    if left_out:
        print("\nNot run on this machine")
        print(*(f"  {line}" for line in left_out), sep="\n")
    print_failures(report, unexplained)
    print()
    print(f"tests: {counts['passed']} passed, {failed} failed")
    return 1 if failed else 0


def read_junit(path: Path) -> tuple[Counter[str], set[str]]:
    """Count the cases of a JUnit file, and collect why some were skipped."""
    counts: Counter[str] = Counter()
    reasons = set()
    for case in ElementTree.parse(path).iter("testcase"):
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            counts["failed"] += 1
        elif skip is None:
            counts["passed"] += 1
        elif skip.get("type") != "pytest.xfail":
            reasons.add(skip.get("message") or case.get("name") or "a test")
    return counts, reasons


def notes(path: Path) -> Iterator[str]:
    """Read the notes that sessions left about what they could not run."""
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            note = json.loads(line)
            yield f"{note['what']}: {note['how']}"


def red(sessions: Mapping[str, str]) -> Iterator[str]:
    """Name the sessions that ended otherwise than well."""
    return (name for name, result in sessions.items() if result not in {"success", "skipped"})


def hollow(sessions: Mapping[str, str], shown: Set[str]) -> Iterator[str]:
    """Name the test sessions that ended well without one passed test to show for it."""
    for name, result in sessions.items():
        tests = name.startswith(("tests(", "conformance(", "distributed(", "sealed("))
        if tests and result == "success" and junit_stem(name) not in shown:
            yield name


def junit_stem(session: str) -> str:
    """Name the JUnit file that a session writes, if it writes one."""
    return session.replace("(", "-").rstrip(")")


def _sessions(report: Path) -> dict[str, str]:
    """Read what each nox said of its sessions; those that ran side by side had one each."""
    found = {}
    for path in sorted(report.glob("sessions*.json")):
        for session in json.loads(path.read_text(encoding="utf-8"))["sessions"]:
            found[session["signatures"][0]] = session["result"]
    return found


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
