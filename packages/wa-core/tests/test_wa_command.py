"""The command wa: its words, its help, its ways to show a thing, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from wa_bench.running import now, unstyled, wa
from wa_bench.sessions import PHONE, link, put
from wa_core.cli.command import COMMANDS
from wa_core.cli.exits import WA_TABLE
from wa_core.storage import registry

pytestmark = pytest.mark.once


def test_help_names_every_command_and_every_exit_code() -> None:
    ended = wa("--help")

    assert ended.code == 0
    assert all(f"\n    {name}" in ended.out for name in COMMANDS)
    assert WA_TABLE in ended.out


BELOW = {"backup": ("create", "verify", "list", "restore"), "seal": ("rotate", "new-key")}
WORDS = [
    *([name] for name in COMMANDS if name not in BELOW),
    *([name, action] for name, actions in BELOW.items() for action in actions),
]


@pytest.mark.parametrize("words", WORDS, ids="-".join)
def test_each_command_explains_itself_in_lines_that_fit(words: list[str]) -> None:
    ended = wa(*words, "--help")

    assert ended.code == 0
    assert "--json" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ([], 2, "COMMAND"),
        (["no-such-command"], 2, "invalid choice"),
        (["ls"], 2, "URL"),
        (["ls", "no URL at all"], 2, "begins with a scheme"),
        (["ls", "nowhere:x"], 2, "pip install wa-engine-nowhere"),
        (["ls", "memory:${NO_SUCH_VARIABLE}"], 2, "NO_SUCH_VARIABLE is not set"),
        (["ls", "memory:x", "a//b"], 2, "invalid key"),
        (["ls", "memory:x", "--secrets", "/no/such/file"], 2, "No such file"),
        (["inspect", "memory:nothing-is-here#x"], 7, "no session here"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(words: list[str], code: int, says: str) -> None:
    ended = wa(*words)

    assert ended.code == code
    assert says in ended.out + ended.err
    assert "Traceback" not in ended.err


def test_an_error_is_one_document_for_a_program() -> None:
    ended = wa("ls", "nowhere:x", "--json")

    assert ended.code == 2
    assert ended.err == ""
    assert ended.document["error"]["code"] == "unknown-engine"
    assert ended.document["error"]["retryable"] is False


def test_engines_are_listed_with_what_they_promise() -> None:
    ended = wa("engines")

    assert ended.code == 0
    assert ended.row("SCHEME").split()[:4] == ["SCHEME", "PACKAGE", "VERSION", "DURABILITY"]
    assert ended.row("memory").split()[:4] == ["memory", "wa-core", "0.1.0", "volatile"]
    assert "one writer" in ended.row("file")
    assert "L3" in ended.row("baileys")


def test_a_missing_engine_names_its_package_and_a_broken_one_its_flaw(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = EntryPoint("torn", "wa_no_such_module:Provider", registry.GROUP)
    monkeypatch.setattr(registry, "_installed", lambda: {"torn": broken})

    ended = wa("engines")

    assert ended.code == 1
    assert "ModuleNotFoundError" in ended.row("torn")
    assert "pip install wa-engine-redis" in ended.row("redis")


def test_engines_for_a_program_tell_which_can_be_used() -> None:
    found = {offer["scheme"]: offer for offer in wa("engines", "--json").document}

    assert found["memory"]["usable"]
    assert found["memory"]["promises"]["durability"] == "volatile"
    assert "L1" in found["baileys"]["promises"]["unclaimed"]


def test_a_terminal_gets_colours_and_a_pipe_the_same_words_without(tmp_path: Path) -> None:
    url = f"file:{tmp_path}/s#bot"
    now(link(url))

    piped, drawn = wa("inspect", url), wa("inspect", url, terminal=True)

    assert "\x1b[" not in piped.out
    assert "\x1b[32m" in drawn.out
    assert piped.out.rstrip().splitlines()[-1] == unstyled(drawn.out).rstrip().splitlines()[-1]


def test_what_would_command_a_terminal_is_shown_to_it_and_not_obeyed(tmp_path: Path) -> None:
    url = f"file:{tmp_path}/s#bot"
    now(put(url, "chat/\x9b31m[bold]red/index", b"{}"))

    ended = wa("ls", url, terminal=True)

    assert "chat/\\x9b31m[bold]red/index" in unstyled(ended.out)


def test_secrets_come_from_a_file_and_are_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    (tmp_path / "secrets").write_text("PLACE=hush-hush\n")

    ended = wa("ls", f"file:{tmp_path}/${{PLACE}}#bot", "--secrets", f"{tmp_path}/secrets")

    assert ended.code == 5
    assert "hush" not in ended.out + ended.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_what_a_shell_has_to_run(shell: str) -> None:
    ended = wa("completion", shell)

    assert ended.code == 0
    assert "_ARGCOMPLETE" in ended.out
    assert "wa" in ended.out


def real(*words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a process."""
    return subprocess.run(
        [sys.executable, "-m", "wa_core.cli.main", *words],
        capture_output=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_a_shell_is_told_the_words_that_fit(tmp_path: Path) -> None:
    answer = tmp_path / "answer"
    real(
        _ARGCOMPLETE="1",
        _ARGCOMPLETE_STDOUT_FILENAME=str(answer),
        COMP_LINE="wa rm --",
        COMP_POINT="8",
        _ARGCOMPLETE_IFS="\n",
    )

    assert {"--yes", "--json", "--full-keys"} <= {
        word.strip() for word in answer.read_text().split("\n")
    }


def test_help_loads_nothing_that_only_a_command_needs() -> None:
    code = (
        "import sys, json\nfrom wa_core.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = json.loads(done.stdout.splitlines()[-1])
    heavy = (
        "rich",
        "cryptography",
        "argcomplete",
        "wa_core.state",
        "wa_core.storage",
        "sqlalchemy",
    )
    assert [name for name in loaded if name.startswith(heavy)] == []


def test_whoever_has_read_enough_ends_it_without_a_word(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/wa.db#bot"
    now(link(url))
    command = f"{sys.executable} -m wa_core.cli.main ls '{url}' --all | true"

    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)

    assert done.stderr == ""


def test_no_phone_number_shows_unless_it_is_asked_for(tmp_path: Path) -> None:
    url = f"file:{tmp_path}/s#{PHONE}"
    now(link(url))
    place = url.partition("#")[0]

    for words in (["sessions", place], ["inspect", url], ["ls", url, "--all"], ["doctor", place]):
        for more in ([], ["--json"]):
            assert PHONE not in wa(*words, *more).out
    for words in (["sessions", place], ["inspect", url], ["ls", url, "--all"]):
        assert PHONE in wa(*words, "--full-keys").out
