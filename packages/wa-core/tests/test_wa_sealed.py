"""wa over sealed sessions and archives: with the key, with another, with none."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
from wa_bench.keyboard import Keyboard
from wa_bench.running import Ended, now, wa
from wa_bench.sessions import PHONE, SECRET, everything, link
from wa_core.backup import REWIND
from wa_core.seal import new_key
from wa_core.storage import list_sessions

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put two keys into the environment."""
    monkeypatch.setenv("WA_KEY", new_key())
    monkeypatch.setenv("WA_OTHER_KEY", new_key())


@pytest.fixture
def place(tmp_path: Path) -> str:
    """Name a sealed place with one session, `bot`."""
    found = f"sqlite:{tmp_path}/wa.db?seal=env:WA_KEY"
    now(link(f"{found}#bot"))
    return found


def with_key(place: str, word: str) -> str:
    """Return the URL of the session, to be opened with another key; with none for no word."""
    return place.partition("?")[0] + (f"?seal={word}" if word else "") + "#bot"


def test_a_sealed_session_is_looked_at_like_any_other(place: str) -> None:
    looked, listed = wa("inspect", f"{place}#bot"), wa("sessions", place)

    assert looked.code == 0, looked.out
    assert "every value, with data key 1" in looked.out
    assert listed.row("bot").split()[:2] == ["bot", "linked"]
    assert wa("get", f"{place}#bot", "session/creds").code == 0


def test_a_session_that_is_not_sealed_is_told_what_that_means(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/wa.db#bot"
    now(link(url))

    assert "whoever reads the store has the account" in wa("inspect", url).out


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("env:WA_OTHER_KEY", "not the key that it was sealed with"),
        ("env:WA_NO_SUCH_KEY", "WA_NO_SUCH_KEY"),
        ("", "this store is sealed"),
    ],
)
def test_without_the_key_a_session_is_not_read_and_not_written(
    place: str, word: str, says: str
) -> None:
    before = now(everything(f"{place}#bot"))
    url = with_key(place, word)

    looked, removed = wa("inspect", url), wa("rm", url, "chat", "--yes")
    listed = wa("sessions", url)

    assert looked.code == 8
    assert says in looked.out + looked.err
    assert says in listed.out + listed.err
    assert removed.code == 8
    assert says in removed.err
    assert now(everything(f"{place}#bot")) == before


def test_doctor_tries_a_sealed_place_and_takes_its_seal_away_again(place: str) -> None:
    first = wa("doctor", place)
    other = wa("doctor", with_key(place, "env:WA_OTHER_KEY"))

    assert (first.code, other.code) == (0, 0), first.out + other.out
    assert now(list_sessions(place.partition("?")[0])) == ["bot"]


def test_a_data_key_is_changed_under_every_record(place: str) -> None:
    before = now(everything(f"{place}#bot"))

    ended = wa("seal", "rotate", f"{place}#bot", "--json")

    assert ended.code == 0, ended.out
    assert ended.document["generation"] == 2
    assert ended.document["resealed"] == len(before)
    assert now(everything(f"{place}#bot")) == before
    assert "data key 2" in wa("inspect", f"{place}#bot").out


def test_the_outer_key_is_changed_and_the_old_one_is_of_no_use(place: str) -> None:
    ended = wa("seal", "rotate", f"{place}#bot", "--to", "env:WA_OTHER_KEY")

    assert ended.code == 0
    assert "seal=env:WA_OTHER_KEY" in ended.out
    assert wa("inspect", f"{place}#bot").code == 8
    assert wa("inspect", with_key(place, "env:WA_OTHER_KEY")).code == 0


def test_a_store_without_a_seal_has_no_keys_to_rotate(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/wa.db#bot"
    now(link(url))

    ended = wa("seal", "rotate", url)

    assert ended.code == 2
    assert "seal=" in ended.err


def test_a_new_key_is_written_for_its_owner_alone_and_over_nothing(tmp_path: Path) -> None:
    file = tmp_path / "wa.key"

    written, again = wa("seal", "new-key", str(file)), wa("seal", "new-key", str(file))
    shown = wa("seal", "new-key")

    key = file.read_text()
    assert (written.code, again.code) == (0, 2)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert key.strip() not in written.out
    assert shown.out.startswith("wa-key:")
    assert shown.out != key
    assert wa("ls", f"sqlite:{tmp_path}/wa.db?seal=file:{file}#bot").code == 5


@pytest.fixture
def archive(place: str, tmp_path: Path) -> str:
    """Take a backup, and name it."""
    found = f"archive:{tmp_path}/bot.wa-archive?key=env:WA_KEY"
    assert wa("backup", "create", f"{place}#bot", found).code == 0
    return found


def test_a_backup_is_taken_proven_and_told(place: str, tmp_path: Path) -> None:
    folder = f"archive:{tmp_path}/backups/?key=env:WA_KEY"

    taken = wa("backup", "create", f"{place}#bot", folder, "--json").document
    proven = wa("backup", "verify", f"archive:{taken['path']}?key=env:WA_KEY", "--json").document
    listed = wa("backup", "list", folder, "--verify", "--json").document["backups"]

    assert taken["records"] == proven["records"] == len(now(everything(f"{place}#bot")))
    assert taken["sha256"] == proven["sha256"]
    assert [each["verified"] for each in listed] == [True]
    assert "yes, read whole" in wa("backup", "list", folder, "--verify").out


def test_only_so_many_backups_stay(place: str, tmp_path: Path) -> None:
    folder = f"archive:{tmp_path}/backups/?key=env:WA_KEY"

    for _ in range(3):
        wa("backup", "create", f"{place}#bot", folder, "--keep", "2")

    assert len(list((tmp_path / "backups").iterdir())) == 2


def test_a_restore_brings_back_what_is_no_ratchet(archive: str, tmp_path: Path) -> None:
    target = f"file:{tmp_path}/back#bot"

    ended = wa("backup", "restore", archive, target)

    held = now(everything(target))
    assert ended.code == 0, ended.err
    assert "contact/" in "".join(held)
    assert "session/pre-key/2" not in held
    assert wa("inspect", target).code == 0


def test_a_rewind_is_agreed_to_in_words(
    archive: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = f"file:{tmp_path}/back#bot"

    def restore(typed: str | None) -> Ended:
        if typed is not None:
            monkeypatch.setattr(sys, "stdin", Keyboard(typed))
        return wa("backup", "restore", archive, target, "--with-ratchets")

    nobody, wrong = restore(None), restore("yes\n")
    nothing = not (tmp_path / "back").exists()
    right = restore(f"{REWIND}\n")

    assert (nobody.code, wrong.code, right.code) == (2, 2, 0), right.err
    assert nothing
    assert "goes back to where it stood" in right.err
    assert "session/pre-key/2" in now(everything(target))


def test_a_dry_run_of_a_restore_writes_nothing(archive: str, tmp_path: Path) -> None:
    ended = wa("backup", "restore", archive, f"sqlite:{tmp_path}/back.db#bot", "--dry-run")

    assert ended.code == 0, ended.err
    assert "would" in ended.out


@pytest.mark.parametrize("how", ["wrong key", "torn", "foreign", "gone"])
def test_an_archive_that_cannot_be_used_is_told_and_touches_nothing(
    archive: str, tmp_path: Path, how: str
) -> None:
    file = tmp_path / "bot.wa-archive"
    if how == "wrong key":
        archive = archive.replace("WA_KEY", "WA_OTHER_KEY")
    elif how == "torn":
        file.write_bytes(file.read_bytes()[:-20])
    elif how == "foreign":
        file.write_bytes(b"a letter to somebody")
    else:
        file.unlink()

    proven = wa("backup", "verify", archive)
    restored = wa("backup", "restore", archive, f"file:{tmp_path}/back#bot")

    code = 5 if how == "gone" else 8
    assert (proven.code, restored.code) == (code, code), proven.err + restored.err
    assert "Traceback" not in proven.err + restored.err
    assert not (tmp_path / "back" / "bot" / "session").exists()


def test_an_archive_is_looked_into_like_a_store(archive: str) -> None:
    looked, listed = wa("inspect", archive), wa("ls", archive, "--all")
    tried, removed = wa("doctor", archive), wa("rm", archive, "chat", "--yes")

    assert looked.code == 0, looked.out + looked.err
    assert "session/creds" in listed.out
    assert tried.code == removed.code == 2
    assert "wa backup" in tried.out + removed.err


def test_no_secret_and_no_key_shows(place: str, archive: str, tmp_path: Path) -> None:
    runs = [
        wa("inspect", f"{place}#bot", "--json"),
        wa("get", f"{place}#bot", "session/pre-key/2"),
        wa("backup", "verify", archive),
        wa("seal", "rotate", f"{place}#bot"),
    ]

    for ended in runs:
        assert os.environ["WA_KEY"] not in ended.out + ended.err
        assert SECRET.decode() not in ended.out + ended.err
        assert PHONE not in ended.out + ended.err
