"""wa sessions, inspect and doctor on every engine, and on places where something is wrong."""

from __future__ import annotations

import gc
import socket
import sqlite3
from pathlib import Path

import pytest
from migrate_bench.places import FOREIGN, OURS, Places
from wa_bench.running import Ended, now, wa
from wa_bench.sessions import PHONE, everything, link, put
from wa_core.cli.commands.sessions import rendered
from wa_core.migrate import copy
from wa_core.state.moves import MOVE_KEY
from wa_core.state.overview import look_at
from wa_core.storage import SCRATCH, list_sessions, open_engine

pytestmark = pytest.mark.once

LOCAL = ("file", "sqlite")


def steps(ended: Ended) -> dict[str, str]:
    """Return what came of each step of a doctor."""
    return {step["step"]: step["outcome"] for step in ended.document["steps"]}


@pytest.mark.parametrize("kind", OURS)
def test_doctor_finds_each_engine_well_and_leaves_nothing(kind: str, place: Places) -> None:
    url = place(kind)
    now(link(url))
    before = now(everything(url))

    ended = wa("doctor", url, "--json")

    assert ended.code == 0, ended.out
    expected = "warning" if kind == "memory" else "ok"
    outcomes = steps(ended)
    assert outcomes.pop("durability") in (expected, "warning" if kind == "redis" else expected)
    assert set(outcomes.values()) == {"ok"}
    assert list(outcomes)[-1] == "clean up"
    assert now(everything(url)) == before
    assert SCRATCH not in now(list_sessions(url))


@pytest.mark.parametrize("kind", OURS)
def test_inspect_finds_each_engine_sound_and_writes_nothing(kind: str, place: Places) -> None:
    url = place(kind)
    now(link(url))
    before = now(everything(url))

    ended = wa("inspect", url, "--json")

    found = ended.document
    assert ended.code == 0, ended.out
    assert found["standing"] == "linked"
    assert found["kinds"]["message"] == 6
    assert found["records"] == len(before)
    assert found["bytes"] == sum(len(value) for value, _ in before.values())
    assert [each for each in found["findings"] if each["severity"] == "error"] == []
    assert now(everything(url)) == before


@pytest.mark.parametrize("kind", ["baileys", "arcaelas-file", "baileys-sql", "arcaelas-sql"])
def test_doctor_tries_layouts_of_others_as_far_as_they_go(kind: str, place: Places) -> None:
    assert kind in FOREIGN
    url = place(kind).partition("#")[0]

    ended = wa("doctor", url, "--json")

    assert ended.code in (0, 2), ended.out
    if ended.code == 2:  # a table that is one session has no room for another
        assert "name another with ?table=" in ended.out
        return
    assert steps(ended)["lease"] == "warning"
    assert steps(ended)["fence"] == "skipped"
    assert steps(ended)["clean up"] == "ok"


def test_a_folder_that_is_itself_a_session_is_tried_out_beside_it(tmp_path: Path) -> None:
    url = f"file:{tmp_path}/mine"
    now(link(url))

    ended = wa("doctor", url)

    assert ended.code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_two_doctors_do_not_meet(tmp_path: Path) -> None:
    place = f"sqlite:{tmp_path}/wa.db"

    async def hold() -> None:
        async with await open_engine(f"{place}#{SCRATCH}") as engine:
            await engine.acquire("wa doctor (pid 1 on elsewhere)", 3600.0)
            await engine.set("session/pre-key/1", b"of the other one")

    now(hold())

    ended = wa("doctor", place, "--json")

    assert ended.code == 3
    assert "pid 1 on elsewhere" in ended.out
    assert steps(ended)["clean up"] == "skipped"
    assert list(now(everything(f"{place}#{SCRATCH}"))) == ["session/pre-key/1"]


def test_what_a_killed_doctor_left_is_cleared_by_the_next(tmp_path: Path) -> None:
    place = f"sqlite:{tmp_path}/wa.db"
    now(put(f"{place}#{SCRATCH}", "session/pre-key/1", b"left"))
    now(put(f"{place}#{SCRATCH}", "chat/1", b"left"))

    ended = wa("doctor", place, "--json")

    assert ended.code == 0, ended.out
    assert now(everything(f"{place}#{SCRATCH}")) == {}


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:{port}/0", "mongodb://127.0.0.1:{port}/a?timeout=0.3&serverSelectionTimeoutMS=200",
            "postgres://127.0.0.1:{port}/a", "mysql://127.0.0.1:{port}/a"],
)  # fmt: skip
# What pymongo forgets to close when nobody answers is collected here, not in the next test.
@pytest.mark.filterwarnings("ignore:unclosed :ResourceWarning")
def test_a_dead_server_is_told_by_name_with_what_to_do(url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        dead = url.format(port=taken.getsockname()[1])
    session = f"{dead}#bot"

    doctor, looked = wa("doctor", session), wa("inspect", session)

    gc.collect()
    assert (doctor.code, looked.code) == (6, 6)
    assert "see that the server runs" in doctor.out
    assert "see that the server runs" in looked.err
    assert "Traceback" not in doctor.err + looked.err


@pytest.mark.parametrize(
    "words", [["sessions"], ["ls"], ["get", "a"], ["rm", "a", "--yes"]], ids=lambda words: words[0]
)
def test_every_command_tells_of_a_dead_server(words: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        dead = f"redis://127.0.0.1:{taken.getsockname()[1]}/0"

    ended = wa(words[0], dead, *words[1:])

    assert ended.code == 6
    assert "see that the server runs" in ended.err


def test_a_damaged_record_is_named_and_the_others_are_counted(tmp_path: Path) -> None:
    url = f"file:{tmp_path}/s#bot"
    now(link(url))
    whole = wa("inspect", url, "--json").document
    (tmp_path / "s" / "bot" / "session" / "pre-key" / "2").write_bytes(b"torn")

    ended, told = wa("inspect", url), wa("inspect", url, "--json").document
    listed = wa("sessions", f"file:{tmp_path}/s", "--json").document["sessions"][0]

    assert ended.code == 8
    assert "1 is damaged: session/pre-key/2" in ended.out
    assert "bring them back from a backup" in ended.out
    assert told["damaged"] == listed["damaged"] == ["session/pre-key/2"]
    assert told["kinds"] == whole["kinds"]
    assert (told["standing"], listed["standing"]) == ("linked", "linked")


def test_damaged_credentials_are_never_taken_for_none(tmp_path: Path) -> None:
    url = f"file:{tmp_path}/s#bot"
    now(link(url))
    creds = tmp_path / "s" / "bot" / "session" / "creds"
    creds.write_bytes(creds.read_bytes()[:-9])
    torn = creds.read_bytes()

    ended, listed = wa("inspect", url), wa("sessions", url, "--json")

    assert ended.code == 8
    assert "session/creds" in ended.out
    assert "backup" in ended.out
    assert listed.document["sessions"][0]["standing"] == "damaged"
    assert creds.read_bytes() == torn


def test_records_without_credentials_are_damage(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/wa.db#bot"
    now(link(url))
    wa("rm", url, "session/creds", "--yes")

    ended, listed = wa("inspect", url), wa("sessions", url)

    assert ended.code == 8
    assert "no credentials" in ended.out
    assert "damaged" in listed.row("bot")


def newer_sqlite(folder: Path) -> str:
    url = f"sqlite:{folder}/wa.db#bot"
    now(link(url))
    with sqlite3.connect(folder / "wa.db") as base:
        base.execute("UPDATE wa_sessions SET version = 99")
    base.close()
    return url


def newer_move(folder: Path) -> str:
    url = f"file:{folder}/s#bot"
    now(link(url))
    now(put(url, MOVE_KEY, b'{"version": 99}'))
    return url


@pytest.mark.parametrize("make", [newer_sqlite, newer_move])
def test_a_store_of_a_newer_version_is_not_looked_into(make: object, tmp_path: Path) -> None:
    assert callable(make)
    url = make(tmp_path)

    ended, listed = wa("inspect", url), wa("sessions", url)

    assert ended.code == 8
    assert "version 99" in ended.out + ended.err
    assert "upgrade" in ended.out + ended.err
    assert "version 99" in listed.out
    assert listed.code == 0


def test_damaged_heads_are_told_and_not_mended(tmp_path: Path) -> None:
    url = f"file:{tmp_path}/s#bot"
    now(link(url))
    now(put(url, MOVE_KEY, b"no marker"))

    ended, listed = wa("inspect", url), wa("sessions", url)

    assert ended.code == 8
    assert MOVE_KEY in ended.out
    assert "damaged" in listed.row("bot")
    assert now(everything(url))[MOVE_KEY][0] == b"no marker"


def test_a_session_that_moved_says_where_it_is(tmp_path: Path) -> None:
    here, there = f"file:{tmp_path}/s#bot", f"sqlite:{tmp_path}/wa.db#bot"
    now(link(here))
    now(copy(here, there))

    old, new = wa("inspect", here), wa("inspect", there)
    listed = wa("sessions", here, "--json").document["sessions"][0]

    assert (old.code, new.code) == (7, 0)
    assert f"open it at {there}" in old.out
    assert (listed["standing"], listed["other"]) == ("moved", there)


def test_sessions_of_a_place_stand_in_a_line_each(tmp_path: Path) -> None:
    place = f"sqlite:{tmp_path}/wa.db"
    for name in ("ann", "eve"):
        now(link(f"{place}#{name}"))

    ended = wa("sessions", place)

    assert ended.code == 0
    assert ended.row("SESSION").split() == [
        "SESSION", "STATE", "AS", "CONTACTS", "CHATS", "MESSAGES", "PRE-KEYS", "RATCHETS", "OTHERS",
        "SIZE", "LAST", "WRITE", "HELD", "BY",
    ]  # fmt: skip
    ann = ended.row("ann").split()
    assert ann[:9] == ["ann", "linked", "54…78:1", "1", "2", "6", "2", "0", "3"]
    assert "nobody" in ended.row("eve")


def test_whoever_holds_a_session_is_named_there(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/wa.db#bot"
    now(link(url))

    async def hold() -> None:
        async with await open_engine(url) as engine:
            await engine.acquire("worker 7", 3600.0)

    now(hold())

    assert "worker 7" in wa("sessions", url).row("bot")
    assert "worker 7 has it" in wa("inspect", url).out


def test_a_place_without_sessions_says_so(tmp_path: Path) -> None:
    ended = wa("sessions", f"sqlite:{tmp_path}/none.db")

    assert ended.code == 0
    assert "no session is here" in ended.out
    assert not (tmp_path / "none.db").exists()


async def test_the_age_of_the_last_write_is_told_in_words(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/wa.db#bot"
    await link(url)
    found = [seen async for seen in look_at(url)]
    assert found[0].tally is not None
    written = (found[0].tally.newest or 0) / 1_000_000

    for later, told in ((0.0, "now"), (90.0, "90 s ago"), (10_800.0, "3 h ago")):
        table = rendered(found, full=False, now=written + later)[0]

        assert told in str(table)


def test_weaker_durability_is_told_with_its_reason(place: Places) -> None:
    url = place("redis")
    now(link(url))

    ended = wa("inspect", f"{url.partition('#')[0]}?durability=volatile#{url.partition('#')[2]}")

    assert "durability is volatile" in ended.out
    assert PHONE not in ended.out
