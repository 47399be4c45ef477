"""The quick profile with the index on the disk: what the index answers, and what writes it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHAPTERS = "KVGWCOSX"


@pytest.mark.once
def test_an_index_on_the_disk_keeps_the_contract(quick_path: Path) -> None:
    report = quick_path / "report.json"
    url = f"file:{quick_path / 'store'}?index=disk"
    options = [word for chapter in CHAPTERS for word in ("--only", chapter)]

    done = subprocess.run(
        [sys.executable, "-m", "wa_conformance", url, *options, "--json", str(report)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert json.loads(report.read_text())["counts"]["passed"] > 100
