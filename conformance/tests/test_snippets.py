"""The programs that failures print: each fails by itself, and holds on the memory engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from wa_conformance.profile import QUICK
from wa_conformance.runner import run
from wa_conformance.subject import Status, Subject
from wa_conformance.target import parse_target

pytestmark = pytest.mark.once

HERE = Path(__file__).parent


def run_program(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-"],
        input=text,
        capture_output=True,
        text=True,
        cwd=HERE,
        check=False,
        env={**os.environ, "PYTHONPATH": str(HERE)},
        timeout=120,
    )


@pytest.mark.parametrize(
    ("name", "clause", "most_lines"),
    [
        ("CutsNeighbours", "C1", 3),
        ("EmptyIsAbsent", "V1", 2),
        ("OldestFirst", "O2", 3),
        ("LeaksDriverErrors", "C3", 3),
    ],
)
def test_a_printed_program_fails_by_itself_and_only_there(
    monkeypatch: pytest.MonkeyPatch, name: str, clause: str, most_lines: int
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    report = run(Subject.of(parse_target(f"faulty:{name}")), profile=QUICK, seed=7, only=[clause])
    programs = [outcome.snippet for outcome in report.of(Status.FAILED)]
    direct = [text for text in programs if "asyncio.run(main())" in text]
    assert direct

    for text in programs:
        there, elsewhere = run_program(text), run_program(text.replace(f"faulty:{name}", "memory:"))

        assert there.returncode == 1, text
        assert elsewhere.returncode == 0, elsewhere.stderr

    shortest = min(text.count("    await engine.") for text in direct)
    assert shortest <= most_lines


def test_what_lines_cannot_tell_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    subject = Subject.of(parse_target("faulty:KeepsTheFirst"))

    report = run(subject, profile=QUICK, seed=7, only=["W6"])
    programs = [outcome.snippet for outcome in report.of(Status.FAILED)]

    assert programs
    for text in programs:
        assert "replay('faulty:KeepsTheFirst', \"W6." in text
        assert run_program(text).returncode == 1
        assert run_program(text.replace("faulty:KeepsTheFirst", "memory:")).returncode == 0
