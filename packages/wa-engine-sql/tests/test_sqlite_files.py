"""The file itself: who may read it, what becomes of it, and what is refused."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

import pytest
from wa_core.errors import (
    CorruptRecordError,
    EngineConfigError,
    InvalidUrlError,
    StorageError,
    StoreVersionError,
)
from wa_core.storage import Durability, EngineUrl, list_sessions, open_engine
from wa_engine_sql import sqlite_file
from wa_engine_sql.provider import SqlProvider
from wa_engine_sql.sqlite_url import sqlite_path

_OPEN = """
import asyncio, sys
from wa_core.storage import open_engine

async def main():
    async with await open_engine(sys.argv[1]) as engine:
        await engine.set(f"from/{sys.argv[2]}", b"x")

asyncio.run(main())
"""


async def test_the_file_is_readable_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with await open_engine(f"sqlite:{tmp_path}/wa.db") as engine:
            await engine.set("k", b"1")
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(before)

    assert "wa.db-wal" in modes
    assert set(modes.values()) == {0o600}


async def test_looking_makes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/none.db"

    with pytest.raises(EngineConfigError, match="nothing to read"):
        await open_engine(url, read_only=True)
    assert await list_sessions(url) == []

    assert list(tmp_path.iterdir()) == []


async def test_a_reader_finds_a_database_without_our_tables_empty_of_ours(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE theirs (x)").connection.close()

    with pytest.raises(EngineConfigError, match="nothing to read"):
        await open_engine(f"sqlite:{tmp_path}/other.db", read_only=True)
    assert await list_sessions(f"sqlite:{tmp_path}/other.db") == []


async def test_processes_that_open_a_new_file_at_once_all_succeed(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/wa.db"

    children = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", _OPEN, url, str(number))
        for number in range(4)
    ]
    assert [await child.wait() for child in children] == [0, 0, 0, 0]

    async with await open_engine(url) as engine:
        assert await engine.count("from/") == 4


async def test_tables_of_a_newer_package_are_refused(tmp_path: Path) -> None:
    async with await open_engine(f"sqlite:{tmp_path}/wa.db") as engine:
        await engine.set("k", b"1")
    db = sqlite3.connect(tmp_path / "wa.db")
    db.execute("UPDATE wa_meta SET version = 2")
    db.commit()
    db.close()

    for read_only in (False, True):
        with pytest.raises(StoreVersionError):
            await open_engine(f"sqlite:{tmp_path}/wa.db", read_only=read_only)


async def test_what_is_no_database_is_damage_and_not_absence(tmp_path: Path) -> None:
    (tmp_path / "wa.db").write_bytes(b"This is not a database. " * 400)

    with pytest.raises(StorageError, match="damaged"):
        await open_engine(f"sqlite:{tmp_path}/wa.db")


@pytest.mark.parametrize("spoiled", ["value = 5", "value = 'text'", "crc = crc + 1"])
async def test_a_row_that_lies_is_a_damaged_record(tmp_path: Path, spoiled: str) -> None:
    async with await open_engine(f"sqlite:{tmp_path}/wa.db") as engine:
        await engine.set("k", b"1")
        db = sqlite3.connect(tmp_path / "wa.db")
        db.execute(f"UPDATE wa_records SET {spoiled}")
        db.commit()
        db.close()

        with pytest.raises(CorruptRecordError):
            await engine.get("k")
        assert await engine.list() == ["k"]


async def test_a_file_system_in_memory_gives_no_power() -> None:
    place = f"sqlite:/dev/shm/wa-test-{os.getpid()}.db"
    try:
        async with await open_engine(place) as engine:
            assert engine.capabilities.durability is Durability.PROCESS
        with pytest.raises(EngineConfigError, match="memory"):
            await open_engine(f"{place}?durability=power")
    finally:
        for end in ("", "-wal", "-shm"):
            Path(f"/dev/shm/wa-test-{os.getpid()}.db{end}").unlink(missing_ok=True)


async def test_paths_may_hold_what_urls_and_sqlite_read_otherwise(tmp_path: Path) -> None:
    folder = tmp_path / "a b?c#d%e é"
    folder.mkdir()
    url = f"sqlite:{tmp_path}/a b%3Fc%23d%25e é/wa.db"

    async with await open_engine(url) as engine:
        await engine.set("k", b"1")

    assert "wa.db" in os.listdir(folder)


async def test_urls_that_name_no_file_are_refused() -> None:
    with pytest.raises(InvalidUrlError):
        await open_engine("sqlite:")
    with pytest.raises(EngineConfigError, match="memory:"):
        await open_engine("sqlite::memory:")
    with pytest.raises(EngineConfigError, match="folder"):
        await open_engine("sqlite:/no/such/folder/wa.db")
    with pytest.raises(EngineConfigError, match="durability"):
        await open_engine("sqlite:wa.db?durability=volatile")


@pytest.mark.parametrize("place", ["wa.db", "//wa.db", "///wa.db", "a%20b/%C3%A9.db"])
def test_an_absolute_url_names_the_same_file_from_every_folder(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = EngineUrl.parse(f"sqlite:{place}#a/b")

    absolute = SqlProvider().absolute(url)
    there = sqlite_path(url)
    monkeypatch.chdir("/")

    assert sqlite_path(EngineUrl.parse(absolute.reveal())) == there
    assert absolute.session == "a/b"


WHOLE, HALF = b'{"whole":1}', b'{"half":1}'


async def cut_off(path: Path) -> None:
    """Leave a file as a writer does that is killed in the middle of a transaction."""
    living = path.with_name("living.db")
    async with await open_engine(f"baileys-sql:sqlite:{living}#bot") as engine:
        await engine.set("session/creds", WHOLE)
    with closing(sqlite3.connect(living, isolation_level=None)) as db:
        # One page of cache: what is changed goes to the file before the end, behind its journal.
        db.execute("PRAGMA cache_size = 1")
        db.execute("BEGIN")
        db.execute("UPDATE auth_creds SET creds_data = ?", (HALF.decode(),))
        for number in range(100):
            row = ("bot", "pre-key", str(number), "x" * 2000)
            columns = "(user_id, key_type, key_id, key_data)"
            db.execute(f"INSERT INTO signal_keys {columns} VALUES (?, ?, ?, ?)", row)
        path.write_bytes(living.read_bytes())
        shutil.copy(f"{living}-journal", f"{path}-journal")


async def test_a_reader_finds_what_was_there_before_a_write_that_was_cut_off(
    tmp_path: Path,
) -> None:
    path = tmp_path / "wa.db"
    await cut_off(path)
    assert HALF in path.read_bytes()

    async with await open_engine(f"baileys-sql:sqlite:{path}#bot", read_only=True) as engine:
        assert await engine.get("session/creds") == WHOLE


async def test_a_reader_that_is_there_already_outlives_a_write_that_is_cut_off(
    tmp_path: Path,
) -> None:
    path = tmp_path / "wa.db"
    async with await open_engine(f"baileys-sql:sqlite:{path}#bot") as engine:
        await engine.set("session/creds", b'{"before":1}')

    async with await open_engine(f"baileys-sql:sqlite:{path}#bot", read_only=True) as engine:
        assert await engine.get("session/creds") == b'{"before":1}'
        await cut_off(path)

        assert await engine.get("session/creds") == WHOLE


@pytest.mark.parametrize("size", [0, 1, 511])
async def test_a_file_without_a_page_is_refused_and_left_alone(tmp_path: Path, size: int) -> None:
    path = tmp_path / "wa.db"
    path.write_bytes(b"S" * size)
    (tmp_path / "wa.db-wal").write_bytes(b"everything")

    for read_only in (False, True):
        with pytest.raises(StorageError, match="restore it"):
            await open_engine(f"sqlite:{path}", read_only=read_only)

    assert path.read_bytes() == b"S" * size
    assert (tmp_path / "wa.db-wal").read_bytes() == b"everything"


async def test_a_file_cut_within_a_page_is_refused_unless_a_log_may_hold_the_rest(
    tmp_path: Path,
) -> None:
    path = tmp_path / "wa.db"
    async with await open_engine(f"sqlite:{path}") as engine:
        await engine.set("k", b"1")
        # Not by opening it: that would end the locks which the engine has on it.
        os.truncate(path, path.stat().st_size + 100)
        async with await open_engine(f"sqlite:{path}#other") as other:
            await other.set("k", b"2")

    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(StorageError, match="middle of a page"):
        await open_engine(f"sqlite:{path}")


def test_of_two_who_make_a_file_one_makes_it(tmp_path: Path) -> None:
    path = str(tmp_path / "wa.db")
    sqlite_file.make_private(path)
    page = Path(path).read_bytes()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TABLE mine (x)")

    sqlite_file.make_private(path)

    assert os.listdir(tmp_path) == ["wa.db"]
    assert page[:16] == b"SQLite format 3\0"
    assert b"CREATE TABLE mine" in Path(path).read_bytes()


@pytest.mark.parametrize("overtaken", [False, True])
def test_a_file_is_made_where_none_can_have_two_names(
    tmp_path: Path, overtaken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "wa.db"

    def refuse(*_: object) -> None:
        if overtaken:
            path.write_bytes(b"of another")
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)

    sqlite_file.make_private(str(path))

    assert os.listdir(tmp_path) == ["wa.db"]
    assert path.read_bytes()[:6] == (b"of ano" if overtaken else b"SQLite")
    assert overtaken or path.stat().st_mode & 0o777 == 0o600
