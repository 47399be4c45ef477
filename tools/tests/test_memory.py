"""Files of servers under test: in memory only where there is plenty of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import memory


def test_what_linux_says_is_read() -> None:
    said = "MemTotal:       24682924 kB\nMemAvailable:   21452120 kB\nBuffers: 1 kB\n"

    assert memory.free_memory(said) == 21452120 * 1024
    assert memory.free_memory("") == 0


def test_no_machine_has_endless_memory() -> None:
    assert memory.place_in_memory(gibibytes=1 << 30) == ""


def test_a_machine_without_such_a_place_uses_the_usual_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "MEMORY", tmp_path / "none")

    assert memory.place_in_memory(gibibytes=0) == ""
