"""The summary decides whether `./dev test` passes, so it is tested where it could lie."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.summary import main

PASSED = '<testcase name="a"/>'
FAILED = '<testcase name="b"><failure message="no"/></testcase>'
SKIPPED = '<testcase name="c"><skipped type="pytest.skip" message="install Node"/></testcase>'


@pytest.fixture(autouse=True)
def laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)


def report(folder: Path, sessions: dict[str, str], cases: str) -> Path:
    listed = [{"name": s, "signatures": [s], "result": r} for s, r in sessions.items()]
    (folder / "sessions.json").write_text(json.dumps({"sessions": listed}))
    (folder / "tests-3.11.xml").write_text(f"<testsuites>{cases}</testsuites>")
    return folder


def closing_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[-1]


def test_all_green_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = report(tmp_path, {"lint": "success", "tests(3.11)": "success"}, PASSED)

    code = main(folder)

    assert (code, closing_line(capsys)) == (0, "tests: 1 passed, 0 failed")


def test_a_red_session_without_tests_is_one_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = report(tmp_path, {"lint": "failed", "tests(3.11)": "success"}, PASSED)

    code = main(folder)

    assert (code, closing_line(capsys)) == (1, "tests: 1 passed, 1 failed")


def test_a_failed_test_is_counted_once_though_its_session_is_red_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = report(tmp_path, {"tests(3.11)": "failed"}, PASSED + FAILED)

    code = main(folder)

    assert (code, closing_line(capsys)) == (1, "tests: 1 passed, 1 failed")


def test_a_session_that_died_before_its_report_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = report(tmp_path, {"tests(3.11)": "success", "tests(3.12)": "failed"}, PASSED)

    code = main(folder)

    assert (code, closing_line(capsys)) == (1, "tests: 1 passed, 1 failed")


def test_a_conformance_run_without_a_passed_check_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sessions = {"tests(3.11)": "success", "conformance(memory)": "success"}
    folder = report(tmp_path, sessions, PASSED)

    code = main(folder)

    assert (code, closing_line(capsys)) == (1, "tests: 1 passed, 1 failed")


def test_what_failed_is_told_once_more_with_the_end_of_its_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "\n".join(f"line {number}" for number in range(100))
    failed = f'<testcase classname="t" name="b"><failure message="no">{words}</failure></testcase>'
    folder = report(tmp_path, {"tests(3.11)": "failed", "wheels": "failed"}, PASSED + failed)
    (folder / "said-wheels.log").write_text("no room\non the disk\n")

    main(folder)

    _, _, told = capsys.readouterr().out.partition("What failed\n")
    assert "tests-3.11: t::b\n" in told
    assert "line 99\n" in told
    assert "line 50\n" not in told
    assert "wheels\n    no room\n    on the disk\n" in told


def test_nothing_run_is_a_failure(tmp_path: Path) -> None:
    assert main(tmp_path) == 1


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_a_skip_is_told_on_a_laptop_and_fails_in_ci(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ci: str,
    code: int,
) -> None:
    monkeypatch.setenv("CI", ci)
    folder = report(tmp_path, {"tests(3.11)": "success"}, PASSED + SKIPPED)

    assert main(folder) == code

    assert "install Node" in capsys.readouterr().out


def test_sessions_that_ran_side_by_side_are_counted_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = report(tmp_path, {"tests(3.11)": "success"}, PASSED)
    beside = {"sessions": [{"signatures": ["wheels"], "result": "failed"}]}
    (folder / "sessions-wheels.json").write_text(json.dumps(beside))

    code = main(folder)

    assert (code, closing_line(capsys)) == (1, "tests: 1 passed, 1 failed")
