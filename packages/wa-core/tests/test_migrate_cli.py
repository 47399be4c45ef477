"""The command wa-migrate: what it prints, how it ends, and that no secret shows."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest
from migrate_bench.sample import auth_records, fill, held, opens
from wa_core.cli.arguments import for_check, for_move
from wa_core.cli.exits import TABLE, code_of
from wa_core.cli.meter import JsonLines, Meter, line
from wa_core.cli.secretsfile import take_secrets
from wa_core.errors import EngineUnavailableError, LeaseHeldError, UsageError, WaError
from wa_core.migrate import Phase, Progress
from wa_core.storage import EngineUrl, open_engine

# Most of the time goes into starting the command, again and again.
pytestmark = pytest.mark.once

RECORDS = {**auth_records(), "chat/5491112345678@s.whatsapp.net/index": b"{}"}


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "wa_core.cli.migrate", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture
async def source(tmp_path: Path) -> str:
    url = f"file:{tmp_path}/source#bot"
    await fill(url, RECORDS)
    return url


@pytest.fixture
def target(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path}/target.db#bot"


async def test_a_move_tells_what_it_did_and_ends_with_0(source: str, target: str) -> None:
    ended = run("--from", source, "--to", target)

    assert ended.returncode == 0
    assert f"moved: {source} -> {target}" in ended.stdout
    assert f"{len(RECORDS)} records" in ended.stdout
    assert [text.split()[0] for text in ended.stderr.splitlines()] == [
        "looking",
        "copying",
        "verifying",
        "deciding",
        "removing",
    ]
    assert await opens(target)


async def test_json_lines_are_all_that_a_program_reads(source: str, target: str) -> None:
    ended = run("--from", source, "--to", target, "--json")

    events = [json.loads(text) for text in ended.stdout.splitlines()]
    assert {event["event"] for event in events} == {"progress", "report"}
    assert events[-1]["outcome"] == "moved"
    assert events[-1]["records"] == len(RECORDS)
    assert ended.stderr == ""


async def test_a_check_names_every_record_and_ends_with_1_where_they_differ(
    source: str, target: str
) -> None:
    run("--from", source, "--to", target, "--keep-source")
    equal = run("check", "--from", source, "--to", target)
    async with await open_engine(target) as engine:
        await engine.set("session/pre-key/1", b"{}", at=1)
        await engine.set("session/pre-key/2", None)
        await engine.set("session/pre-key/999", b"{}")
        value = await engine.get("session/pre-key/3")
        assert value is not None
        await engine.set("session/pre-key/3", value, at=3)

    different = run("check", "--from", source, "--to", target, "--differences", "--only", "auth")

    assert equal.returncode == 0
    assert equal.stdout.count("= ") == len(RECORDS) + 1  # the summary has one, too
    assert "5491112345678" not in equal.stdout
    assert different.returncode == 1
    *lines, summary = different.stdout.splitlines()
    assert sorted(lines) == [
        "* session/pre-key/1",
        "* session/pre-key/3",
        "+ session/pre-key/2",
        "- session/pre-key/999",
    ]
    assert summary.startswith("DIFFERENT")


async def test_a_check_goes_on_behind_a_damaged_record(source: str, target: str) -> None:
    run("--from", source, "--to", target, "--keep-source")
    folder = Path(source.removeprefix("file:").partition("#")[0])
    (folder / "bot" / "session" / "pre-key" / "7").write_bytes(b"")

    ended = run("check", "--from", source, "--to", target, "--json", "--full-keys")

    events = [json.loads(text) for text in ended.stdout.splitlines()]
    marks = {event["key"]: event["mark"] for event in events if event["event"] == "record"}
    assert marks.pop("session/pre-key/7") == "!"
    assert set(marks.values()) == {"="}
    assert len(marks) == len(RECORDS) - 1
    assert ended.returncode == 1


async def test_a_quick_check_compares_numbers_and_credentials(source: str, target: str) -> None:
    run("--from", source, "--to", target, "--keep-source")
    async with await open_engine(target) as engine:
        await engine.set("session/creds", b"{}")

    ended = run("check", "--quick", "--from", source, "--to", target)

    assert "* session/creds" in ended.stdout
    assert "= chat/ (1 and 1 records)" in ended.stdout
    assert ended.returncode == 1


async def test_all_sessions_move_under_old_and_new_names(tmp_path: Path) -> None:
    for name in ("ann", "b/b", "eve"):
        await fill(f"file:{tmp_path}/source#{name.replace('/', '%2F')}", RECORDS)

    ended = run(
        "--from", f"file:{tmp_path}/source", "--to", f"sqlite:{tmp_path}/target.db",
        "--all-sessions", "--rename", "ann=anna",
    )  # fmt: skip

    assert ended.returncode == 0
    assert "3 of 3 sessions are done" in ended.stdout
    for name in ("anna", "b%2Fb", "eve"):
        assert await opens(f"sqlite:{tmp_path}/target.db#{name}")


async def test_one_session_that_fails_keeps_none_of_the_others_back(tmp_path: Path) -> None:
    for name in ("ann", "eve"):
        await fill(f"file:{tmp_path}/source#{name}", RECORDS)
    await fill(f"sqlite:{tmp_path}/target.db#ann", {"session/creds": b"of another"})

    ended = run(
        "--from", f"file:{tmp_path}/source", "--to", f"sqlite:{tmp_path}/target.db",
        "--all-sessions",
    )  # fmt: skip

    assert ended.returncode == 9
    assert "1 of 2 sessions are done" in ended.stdout
    assert await opens(f"file:{tmp_path}/source#ann")
    assert await opens(f"sqlite:{tmp_path}/target.db#eve")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--from", "nowhere:x", "--to", "memory:y"], 2, "pip install wa-engine-nowhere"),
        (["--from", "memory:x", "--to", "memory:x"], 2, "the same store"),
        (["--from", "memory:x", "--to", "memory:y"], 7, "no session"),
        (["--from", "memory:x", "--to", "memory:y", "--rename", "a=b"], 2, "--all-sessions"),
        (["--from", "memory:x", "--to", "memory:y", "--all-sessions", "--rename", "a"], 2, "OLD"),
        (["--from", "memory:${NO_SUCH_VARIABLE}", "--to", "memory:y"], 2, "NO_SUCH_VARIABLE"),
    ],
)
def test_what_cannot_be_done_is_said_and_has_its_exit_code(
    words: list[str], code: int, says: str
) -> None:
    ended = run(*words)

    assert ended.returncode == code
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_secrets_come_from_a_file_and_show_nowhere(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("# of the database\nFOLDER=hush\n\nTOKEN=hush hush\n")
    await fill(f"file:{tmp_path}/hush", RECORDS)

    ended = run(
        "--from", f"file:{tmp_path}/${{FOLDER}}?seal=${{TOKEN}}", "--to", f"file:{tmp_path}/there",
        "--secrets", str(tmp_path / "secrets"),
    )  # fmt: skip

    assert ended.returncode == 2
    assert "hush hush" not in ended.stderr + ended.stdout


def test_secrets_are_bytes_like_those_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secrets").write_bytes(b"PLACE=p\xe4ss\n")
    monkeypatch.setenv("PLACE", "")

    take_secrets(str(tmp_path / "secrets"), os.environ)

    assert os.environb[b"PLACE"] == b"p\xe4ss"
    assert os.fsencode(EngineUrl.parse("file:/at/${PLACE}").path) == b"/at/p\xe4ss"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_leaves_both_sides_sound_and_says_how_to_go_on(
    tmp_path: Path, target: str, number: signal.Signals, code: int
) -> None:
    source = f"sqlite:{tmp_path}/source.db"
    many = {f"chat/{place}/index": b"x" * 2000 for place in range(5000)}
    await fill(source, {**RECORDS, **many})
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wa_core.cli.migrate", "--from", source, "--to", target, "--json",
        stdout=PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async for text in process.stdout:
        if json.loads(text).get("phase") == "copying":
            process.send_signal(number)
            break
    last = (await process.stdout.read()).splitlines()[-1]

    assert await process.wait() == code
    assert json.loads(last)["event"] == "interrupted"
    assert (await opens(source), await opens(target)) == (True, False)
    again = run("--from", source, "--to", target)
    assert again.returncode == 0
    assert len(await held(target)) == len({**RECORDS, **many})


def test_help_teaches_with_examples_and_names_every_exit_code() -> None:
    text = for_move().format_help()

    assert "wa-migrate --from baileys:auth_info --to 'mongodb://" in text
    assert TABLE in text
    assert "! key" in for_check().format_help()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (LeaseHeldError("worker", 1.0), 3),
        (EngineUnavailableError(), 6),
        (WaError("of a kind that nobody thought of"), 8),
    ],
)
def test_every_error_has_an_exit_code(error: WaError, code: int) -> None:
    assert code_of(error) == code


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_rate_and_time_left_in_one_line_that_moves() -> None:
    clock = iter([0.0, 2.0, 2.1])
    screen = Terminal()
    meter = Meter(screen, now=lambda: next(clock))

    meter(Progress(Phase.COPYING, 0, 1000, 0))
    meter(Progress(Phase.COPYING, 500, 1000, 2_000_000))
    meter(Progress(Phase.COPYING, 510, 1000, 2_000_000))
    meter.finish()

    drawn = screen.getvalue().split("\r\x1b[2K")
    assert drawn[2] == "copying     500 of 1,000 records  2.0 MB  250/s  2 s left"
    assert len(drawn) == 4  # the third step came too soon after the second to be drawn
    assert drawn[-1] == ""


def test_waiting_says_for_whom() -> None:
    assert "for worker 7 to stop" in line(Progress(Phase.WAITING, note="for worker 7 to stop"), 0.0)


def test_json_lines_hold_one_object_each() -> None:
    stream = io.StringIO()
    clock = iter([0.0, 1.5])

    JsonLines(stream, now=lambda: next(clock))(Progress(Phase.COPYING, 1, 2, 3))

    told: dict[str, Any] = json.loads(stream.getvalue())
    assert (told["phase"], told["done"], told["seconds"]) == ("copying", 1, 1.5)
