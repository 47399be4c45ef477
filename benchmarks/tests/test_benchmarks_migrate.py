"""The measurement of wa-migrate at a tiny size, without a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import migratepage
from benchmarks.__main__ import main
from benchmarks.migrate import batches, phases

KEYS = 400


def test_a_move_is_measured_beside_its_floors_and_leaves_nothing_behind(tmp_path: Path) -> None:
    disk, out = tmp_path / "disk", tmp_path / "out"
    disk.mkdir()

    words = ["migrate", "--keys", str(KEYS), "--pair", "file:sqlite"]
    code = main([*words, "--dir", str(disk), "--out", str(out)])

    text = (out / "migrate.json").read_text()
    one = json.loads(text)["pairs"]["file:sqlite"]
    assert code == 0
    assert one["keys"] == KEYS
    assert one["facts"]["command"] == "python -m benchmarks " + " ".join(words)
    assert set(one["phases"]) == {"looking", "copying", "verifying", "deciding", "removing"}
    assert one["read_floor_s"] >= 0 < one["write_floor_s"]
    assert one["speeds"]["whole"] <= one["speeds"]["moved"] <= one["speeds"]["copying"]
    assert str(tmp_path) not in text + (out / "migrate.md").read_text()
    assert list(disk.iterdir()) == []


def test_the_peak_is_that_of_the_command_and_not_of_the_harness(tmp_path: Path) -> None:
    ballast = b"x" * 300_000_000

    main(["migrate", "--keys", "3", "--pair", "sqlite:file", "--out", str(tmp_path)])

    one = json.loads((tmp_path / "migrate.json").read_text())["pairs"]["sqlite:file"]
    assert 10_000_000 < one["peak_bytes"] < len(ballast)


def test_a_pair_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["migrate", "--pair", "redis:redis"])

    assert "two different ones" in capsys.readouterr().err


def test_the_records_are_the_same_ones_each_time_and_as_many_as_asked_for() -> None:
    once, again = list(batches(2500)), list(batches(2500))

    assert once == again
    assert [len(pairs) for pairs in once] == [1000, 1000, 500]
    assert len({key for pairs in once for key, _ in pairs}) == 2500


def test_a_phase_takes_the_time_up_to_its_last_line() -> None:
    lines = [("looking", 1.0), ("copying", 3.0), ("copying", 4.5), ("verifying", 5.0)]

    told = [{"event": "progress", "phase": phase, "seconds": at} for phase, at in lines]

    assert phases([*told, {"event": "report"}]) == {"looking": 1, "copying": 3.5, "verifying": 0.5}


def test_what_misses_its_target_is_bold_and_other_pairs_stay(tmp_path: Path) -> None:
    facts = {"command": "c", "date": "d", "python": "p", "cores": 2, "load": 0.1, "seconds": 9}
    fast: dict[str, Any] = {
        "facts": facts,
        "keys": 1000,
        "source": "a",
        "target": "b",
        "read_floor_s": 1.0,
        "write_floor_s": 2.0,
        "seconds": 3.0,
        "cpu_seconds": 1.0,
        "peak_bytes": 149_000_000,
        "phases": {"copying": 3.0},
        "speeds": {"whole": 0.51, "moved": 0.6, "copying": 0.7},
    }
    slow = {**fast, "peak_bytes": 150_000_000, "speeds": {**fast["speeds"], "whole": 0.49}}

    migratepage.write(tmp_path, {"x:y": fast})
    migratepage.write(tmp_path, {"y:z": slow, "z:x": {"not_run": "no such server"}})

    page = (tmp_path / "migrate.md").read_text()
    assert "| x to y | 1,000 | 0.51 | 0.60 | 0.70 | 149 MB |" in page
    assert "| y to z | 1,000 | **0.49 missed** | 0.60 | 0.70 | **150 MB missed** |" in page
    assert "| z to x | **not run**: no such server |" in page
