"""The doors from outside: the command and pytest, each in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

# Every test starts the command, or pytest, in a process of its own.
pytestmark = pytest.mark.once

HERE = Path(__file__).parent
CONFIG = "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n"

SLOW = """
import asyncio
from faulty import Healthy

class Slow(Healthy):
    async def _apply(self, operations, fence):
        await super()._apply(operations, fence)
        print("in the middle", flush=True)
        await asyncio.sleep(30)

    async def _clear(self):
        await super()._clear()
        print("cleared", flush=True)
"""


def command(*arguments: str, cwd: Path = HERE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wa_conformance", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )


def pytest_run(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (cwd / "pytest.ini").write_text(CONFIG)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
        env={**os.environ, "PYTHONPATH": str(HERE), "PYTEST_ADDOPTS": ""},
    )


def test_a_healthy_engine_passes_and_the_last_line_says_so() -> None:
    ended = command("memory:", "--only", "K", "--only", "C1", "--seed", "1")

    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.splitlines()[-1].endswith(" 0 failed, 0 not claimed, 0 not run")
    assert "seed 1" in ended.stdout
    assert "K keys" in ended.stdout


def test_a_broken_engine_fails_with_clause_and_program(tmp_path: Path) -> None:
    forms = {name: tmp_path / f"report.{name}" for name in ("json", "junit", "md")}
    files = [word for name, path in forms.items() for word in (f"--{name}", str(path))]

    ended = command("faulty:CutsNeighbours", "--only", "C1", *files)

    assert ended.returncode == 1
    assert "C1: Deleting k removes k and every key that begins with k/." in ended.stdout
    assert "await open_target('faulty:CutsNeighbours', RUN)" in ended.stdout
    body = json.loads(forms["json"].read_text())
    assert body["counts"]["failed"] >= 1
    assert "<testsuite" in forms["junit"].read_text()
    assert "does not pass" in forms["md"].read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing"], "is no target"),
        ([], "give a TARGET"),
        (["nowhere:x y"], "no engine for 'nowhere'"),
        (["faulty:Unopenable"], "no backend today"),
        (["stdio:/no/such/program"], "cannot be started"),
        (["memory:", "--only", "C9"], "names no check"),
        (["memory:", "--profile", "eternal"], "invalid choice"),
    ],
)
def test_a_wrong_command_ends_with_two_and_one_sentence(arguments: list[str], says: str) -> None:
    ended = command(*arguments)

    assert ended.returncode == 2
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


def test_help_teaches_with_examples() -> None:
    ended = command("--help")

    assert ended.returncode == 0
    assert "wa-conformance file:/tmp/store --profile full" in ended.stdout


def test_the_list_gives_every_check_a_sentence() -> None:
    lines = command("--list").stdout.splitlines()

    assert len(lines) > 80
    assert all(line.startswith("    ") for line in lines[1::2])


def test_a_password_is_not_printed() -> None:
    ended = command("nowhere://me:hunter2@host/0?token=hunter2")

    assert ended.returncode == 2
    assert "hunter2" not in ended.stdout + ended.stderr


def test_without_assertions_there_is_no_verdict() -> None:
    ended = subprocess.run(
        [sys.executable, "-O", "-m", "wa_conformance", "memory:", "--only", "K"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2
    assert "python -O" in ended.stderr


def test_an_interruption_prints_what_is_done_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    running = subprocess.Popen(
        [sys.executable, "-m", "wa_conformance", "slow:Slow", "--only", "K"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(HERE)},
        # What a script started in the background ignores it, and all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert running.stdout is not None
    # The engine itself says when it is in the middle of a check.
    for line in running.stdout:
        if line.startswith("in the middle"):
            running.send_signal(signal.SIGINT)
            break
    rest, errors = running.communicate(timeout=60)

    assert running.returncode == 130
    assert "interrupted" in rest
    assert "cleared" in rest
    assert "Traceback" not in errors


def test_one_line_gives_a_test_per_check(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "from wa_conformance import contract_tests\n"
        "test_contract = contract_tests('memory:', without=list('VGWCOSLDFXNU'))\n"
    )

    ended = pytest_run(tmp_path, "test_mine.py")

    assert ended.returncode == 0, ended.stdout
    assert "PASSED test_mine.py::test_contract[K1.hostile-keys-are-kept]" in ended.stdout
    assert "PASSED test_mine.py::test_contract[complete]" in ended.stdout


def test_a_failure_in_pytest_shows_the_program(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "import faulty\n"
        "from wa_conformance import contract_tests\n"
        "test_contract = contract_tests(faulty.CutsNeighbours)\n"
    )

    ended = pytest_run(tmp_path, "test_mine.py", "-k", "C1")

    assert ended.returncode == 1
    assert "FAILED test_mine.py::test_contract[C1." in ended.stdout
    assert "To see it fail by itself:" in ended.stdout
    assert "await open_target('faulty:CutsNeighbours', RUN)" in ended.stdout


def test_the_suite_is_a_module_for_pytest(tmp_path: Path) -> None:
    ended = pytest_run(
        tmp_path, "--pyargs", "wa_conformance.suite", "--wa-engine", "memory:", "-k", "K1 or D2"
    )

    assert ended.returncode == 0, ended.stdout
    assert "test_contract[K1.hostile-keys-are-kept]" in ended.stdout
    assert "not claimed: D2 is not claimed" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "needs --wa-engine TARGET"),
        (["--wa-engine", "faulty:Unopenable"], "no backend today"),
    ],
)
def test_the_suite_without_an_engine_is_no_success(
    tmp_path: Path, arguments: list[str], says: str
) -> None:
    ended = pytest_run(tmp_path, "--pyargs", "wa_conformance.suite", *arguments)

    assert ended.returncode == 4
    assert says in ended.stdout + ended.stderr


def test_a_missing_hook_fails_in_pytest_too(tmp_path: Path) -> None:
    ended = pytest_run(
        tmp_path,
        *("--pyargs", "wa_conformance.suite", "--wa-engine", "faulty:Persistent", "-k", "G2"),
    )

    assert ended.returncode == 1
    assert "not run: G2 is claimed" in ended.stdout


def test_claiming_nothing_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text(
        "from dataclasses import replace\n"
        "from faulty import Healthy\n"
        "class Empty(Healthy):\n"
        "    def __init__(self, session):\n"
        "        super().__init__(session)\n"
        "        self._capabilities = replace(self._capabilities, claims=frozenset({'D1'}))\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{HERE}{os.pathsep}{tmp_path}"}

    ended = subprocess.run(
        [sys.executable, "-m", "wa_conformance", "empty:Empty", "--only", "K"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )

    assert ended.returncode == 1
    assert "nothing was run: that is a failure" in ended.stdout


def test_asserts_of_the_checks_are_rewritten(tmp_path: Path) -> None:
    (tmp_path / "test_rewriting.py").write_text(
        "import sys\n"
        "from wa_conformance import contract_tests\n"
        "test_contract = contract_tests('memory:', without=['W'])\n"
        "def test_rewritten():\n"
        "    for name in ('wa_conformance.checks.order', 'wa_conformance.probe'):\n"
        "        assert '@pytest_ar' in vars(sys.modules[name])\n"
    )

    ended = pytest_run(tmp_path, "-p", "no:randomly", "test_rewriting.py", "-k", "rewritten")

    assert ended.returncode == 0, ended.stdout
