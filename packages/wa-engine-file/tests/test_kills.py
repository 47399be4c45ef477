"""T1 at length: the killed writers of the conformance suite, two thousand of them [W1, W2]."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHECK = "W1.a-killed-writer-leaves-whole-batches"


@pytest.mark.soak
def test_two_thousand_killed_writers_leave_whole_batches(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "wa_conformance", f"file:{tmp_path / 'store'}"]
    options = ["--profile", "soak", "--only", CHECK, "--json", str(report)]

    done = subprocess.run([*command, *options], check=False)

    assert done.returncode == 0
    assert '"passed"' in json.dumps(json.loads(report.read_text()))
