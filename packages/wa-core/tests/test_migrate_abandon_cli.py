"""The command wa-migrate abandon: what it asks, prints and exits with."""

from __future__ import annotations

import os
import pty
import sys
from pathlib import Path

import pytest
from migrate_bench.places import empty_place
from migrate_bench.sample import held
from migrate_bench.small import RECORDS, begun
from wa_core.cli.migrate import main
from wa_core.migrate import NOTHING

pytestmark = pytest.mark.once


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    source, target = (empty_place("file", str, tmp_path) for _ in range(2))
    return ["abandon", "--from", source, "--to", target]


@pytest.fixture
async def half_moved(words: list[str]) -> str:
    """Begin a move of the two, and return the target."""
    await begun(words[2], words[4])
    return words[4]


def test_it_does_what_was_said(
    words: list[str], half_moved: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--dry-run"]) == 0
    assert main([*words, "--yes"]) == 0

    told = capsys.readouterr().out
    assert told.index("would abandon") < told.index("abandoned")
    assert f"{len(RECORDS)} removed from the target" in told
    assert main([*words, "--yes"]) == 0
    assert NOTHING in capsys.readouterr().out


def test_a_refusal_has_an_exit_code_of_its_own(
    words: list[str], half_moved: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--source-lost", "--yes"]) == 10
    assert "can be read and is the session" in capsys.readouterr().err


@pytest.mark.parametrize("how", [(), ("--json",)])
def test_where_nobody_can_be_asked_it_wants_a_yes(
    words: list[str],
    half_moved: str,
    how: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)

        assert main([*words, *how]) == 2

    said = capsys.readouterr()
    assert "--yes" in said.out + said.err


@pytest.mark.parametrize(("answer", "code", "left"), [("yes", 0, 0), ("y", 1, len(RECORDS))])
async def test_a_terminal_is_asked(
    words: list[str], half_moved: str, answer: str, code: int, left: int
) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "wa_core.cli.migrate", *words])
    with os.fdopen(terminal, "r+b", buffering=0) as seen:
        told = b""
        while b"Type yes: " not in told:
            told += seen.read(1000)
        seen.write(answer.encode() + b"\n")
        _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == code
    assert len(await held(half_moved)) == left
