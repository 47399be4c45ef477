"""wa ls, get and rm: records shown without their secrets, and removed only when it is meant."""

from __future__ import annotations

import json
import sys
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from wa_bench.keyboard import Keyboard
from wa_bench.running import now, wa
from wa_bench.sessions import SECRET, everything, link, put
from wa_core.migrate import copy
from wa_core.state.moves import MOVE_KEY
from wa_core.storage import open_engine

pytestmark = pytest.mark.once

SPELT = (SECRET.decode(), b64encode(SECRET).decode(), SECRET.hex())


@pytest.fixture
def url(tmp_path: Path) -> str:
    found = f"sqlite:{tmp_path}/wa.db#bot"
    now(link(found))
    return found


def test_keys_are_listed_newest_first_a_page_at_a_time(url: str) -> None:
    first = wa("ls", url, "chat/1/", "--limit", "2")
    second = wa("ls", url, "chat/1/", "--limit", "2", "--offset", "2")
    whole = wa("ls", url, "chat/1/", "--all", "--json").document

    assert first.out.splitlines() == ["chat/1/message/M2/content", "chat/1/message/M2/index"]
    assert first.out.splitlines() + second.out.splitlines() == whole["keys"][:4]
    assert "2 of 7" in first.err
    assert whole["total"] == len(whole["keys"]) == 7


def test_nothing_below_a_prefix_is_nothing(url: str) -> None:
    ended = wa("ls", url, "nobody/")

    assert (ended.code, ended.out, ended.err) == (0, "", "")


@pytest.mark.parametrize("key", ["session/creds", "session/pre-key/2"])
def test_a_secret_is_told_as_type_and_length(url: str, key: str) -> None:
    ended, told = wa("get", url, key), wa("get", url, key, "--json")

    assert ended.code == 0
    assert "<bytes, 32>" in ended.out
    for secret in SPELT:
        assert secret not in ended.out + told.out
    assert told.document["type"] == "JSON"


def test_no_text_of_the_credentials_shows(url: str) -> None:
    held = json.loads(now(everything(url))["session/creds"][0])

    shown = wa("get", url, "session/creds").out

    assert held["advSecretKey"] not in shown
    assert held["me"]["id"] not in shown
    assert '"advSecretKey": "<text, 44>"' in shown


def test_a_name_that_may_be_a_key_is_told_as_its_length(url: str) -> None:
    name = b64encode(b"k" * 33).decode()
    now(put(url, "session/session/1.0", json.dumps({"_sessions": {name: {}}}).encode()))

    ended = wa("get", url, "session/session/1.0")

    assert name not in ended.out
    assert f"<name, {len(name)}>" in ended.out


def test_a_value_is_revealed_byte_for_byte_when_that_is_asked(url: str, tmp_path: Path) -> None:
    value = now(everything(url))["session/pre-key/2"][0]

    piped = wa("get", url, "session/pre-key/2", "--reveal")
    told = wa("get", url, "session/pre-key/2", "--reveal", "--json").document
    shown = wa("get", url, "session/pre-key/2", "--reveal", terminal=True)

    assert piped.out.encode() == value
    assert b64decode(told["base64"]) == value
    assert b64encode(SECRET).decode() in shown.out


def test_bytes_that_are_no_json_have_a_length_alone(url: str) -> None:
    now(put(url, "chat/9/message/A/raw", bytes(range(200, 256))))

    shown = wa("get", url, "chat/9/message/A/raw")
    revealed = wa("get", url, "chat/9/message/A/raw", "--reveal", terminal=True)

    assert "<bytes, 56>" in shown.out
    assert "c8c9cacb" in revealed.out


def test_an_absent_record_ends_with_1(url: str) -> None:
    for command in ("get", "rm"):
        ended = wa(command, url, "session/pre-key/999")

        assert ended.code == 1
        assert "no record" in ended.err


def test_a_cascade_is_removed_and_nothing_else(url: str) -> None:
    before = now(everything(url))

    ended = wa("rm", url, "chat/1", "--yes")

    gone = set(before) - set(now(everything(url)))
    assert ended.code == 0
    assert gone == {key for key in before if key.startswith("chat/1/")}
    assert "removed: 7 records below 'chat/1', 23 bytes" in ended.out


def test_without_yes_and_without_anybody_to_ask_nothing_is_removed(url: str) -> None:
    before = now(everything(url))

    ended = wa("rm", url, "chat/1")

    assert ended.code == 2
    assert "--yes" in ended.err
    assert now(everything(url)) == before


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1), ("", 1)])
def test_the_answer_decides_and_the_question_shows_the_size(
    url: str, typed: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Keyboard(typed))
    before = now(everything(url))

    ended = wa("rm", url, "chat/1")

    assert ended.code == code
    assert "Remove 7 records below 'chat/1', 23 bytes? [y/N]" in ended.err
    assert (now(everything(url)) == before) is (code == 1)


@pytest.mark.parametrize("key", ["session/creds", "session"])
def test_whoever_removes_the_credentials_is_told_what_that_means(
    url: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Keyboard("n\n"))

    assert "the phone must be linked anew" in wa("rm", url, key).err
    assert "linked anew" not in wa("rm", url, "session/pre-key").err


@pytest.mark.parametrize("key", ["wa", MOVE_KEY, "wa-seal"])
def test_what_says_where_a_session_is_cannot_be_removed(url: str, key: str) -> None:
    now(put(url, MOVE_KEY, b"{}"))

    ended = wa("rm", url, key, "--yes")

    assert ended.code == 2
    assert MOVE_KEY in now(everything(url))


def test_nothing_is_removed_from_a_session_that_lives_elsewhere(tmp_path: Path) -> None:
    here, there = f"file:{tmp_path}/s#bot", f"sqlite:{tmp_path}/wa.db#bot"
    now(link(here))
    now(copy(here, there, keep_source=True))
    before = now(everything(here))

    ended = wa("rm", here, "chat", "--yes")

    assert ended.code == 7
    assert "open it at" in ended.err
    assert now(everything(here)) == before


def test_whoever_holds_the_session_is_named_and_keeps_it_whole(url: str) -> None:
    async def hold() -> int:
        async with await open_engine(url) as engine:
            await engine.acquire("worker 7", 3600.0)
        return len(await everything(url))

    before = now(hold())

    ended = wa("rm", url, "chat", "--yes")

    assert ended.code == 3
    assert "'worker 7'" in ended.err
    assert "stop that program" in ended.err
    assert len(now(everything(url))) == before


def test_the_lease_is_free_again_behind_a_removal(url: str) -> None:
    wa("rm", url, "chat/0", "--yes")

    assert wa("rm", url, "chat/1", "--yes").code == 0


def test_a_damaged_record_can_be_removed(tmp_path: Path) -> None:
    place = f"file:{tmp_path}/s#bot"
    now(link(place))
    (tmp_path / "s" / "bot" / "session" / "pre-key" / "2").write_bytes(b"torn")

    looked = wa("get", place, "session/pre-key/2")
    removed = wa("rm", place, "session/pre-key/2", "--yes")

    assert looked.code == 8
    assert removed.code == 0
    assert wa("inspect", place).code == 0


def test_a_question_needs_a_terminal_to_be_seen(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Keyboard("y\n"))

    ended = wa("rm", url, "chat/1", "--json")

    assert ended.code == 2
    assert "--yes" in ended.document["error"]["message"]
