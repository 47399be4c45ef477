"""Archives of many records in a process that has little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

MOST_MB = 150


def peak_of(records: int, folder: Path) -> float:
    """Take, prove, restore and look into an archive in a process of its own."""
    command = [sys.executable, "-m", "archive_bench.million", str(records), str(folder)]
    ran = subprocess.run(
        command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    steps = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [step["step"] for step in steps if "step" in step] == [
        "create",
        "verify",
        "restore",
        "list and get",
    ]
    return max(float(step.get("peak_mb", 0.0)) for step in steps)


@pytest.mark.once
def test_ten_thousand_records_need_no_more_memory_than_a_few(tmp_path: Path) -> None:
    for name in ("few", "many"):
        (tmp_path / name).mkdir()

    few, many = peak_of(500, tmp_path / "few"), peak_of(10_000, tmp_path / "many")

    assert many < MOST_MB
    # Of which most are buffers that grow to their size and stay there.
    assert many - few < 40


@pytest.mark.soak
@pytest.mark.parametrize("records", [100_000, 1_000_000])
def test_a_million_records_fit_into_150_mb(tmp_path: Path, records: int) -> None:
    assert peak_of(records, tmp_path) < MOST_MB
