"""Somebody in the way of a layout: locks, cancelled calls, writers at the same time, no server."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from wa_core.errors import EngineUnavailableError, UnsupportedError
from wa_core.storage import Batch, Engine, open_engine
from wa_core.storage.layouts import CREDS, key_of
from wa_engine_sql.layouts.engine import LayoutEngine

pytestmark = pytest.mark.once


@asynccontextmanager
async def held(database: str) -> AsyncIterator[Any]:
    """Hold the row of the credentials, as a transaction of somebody else's does."""
    connection = await asyncpg.connect(database)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("UPDATE auth_creds SET creds_data = creds_data")
    try:
        yield transaction
    finally:
        await connection.close()


async def waiting(database: str) -> None:
    """Return when a session of this database waits for a lock."""
    connection = await asyncpg.connect(database)
    asked = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while not await connection.fetchval(asked):
        await asyncio.sleep(0)
    await connection.close()


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path}/auth.db"
    found: str = request.getfixturevalue(
        {"postgres": "database", "mariadb": "schema"}[request.param]
    )
    return found


async def test_writers_at_the_same_time_lose_nothing(base: str) -> None:
    urls = [f"{scheme}:{base}" for scheme in ("baileys-sql", "baileys-rows", "arcaelas-sql")]
    engines = [await open_engine(url) for url in urls for _ in range(3)]

    async with asyncio.TaskGroup() as group:
        for number, engine in enumerate(engines):
            for step in range(3):
                key = key_of("pre-key", f"{number}-{step}")
                group.create_task(engine.apply(Batch().put(key, b"1").put(CREDS, b"%d" % number)))

    assert [await engine.count() for engine in engines] == [10] * 9
    for engine in engines:
        await engine.close()


async def test_a_cancelled_write_is_whole_or_nothing_and_the_engine_goes_on(base: str) -> None:
    keys = [key_of("pre-key", str(number)) for number in range(20)]
    async with await open_engine(f"baileys-rows:{base}") as engine:
        await engine.set(CREDS, b"0")
        for round_number in range(1, 25):
            batch = Batch().put(CREDS, b"%d" % round_number)
            for key in keys:
                batch.put(key, b"%d" % round_number)
            write = asyncio.create_task(engine.apply(batch))
            for _ in range(round_number * 2):
                await asyncio.sleep(0)
            write.cancel()
            await asyncio.wait([write])

            found = await engine.get_many([CREDS, *keys])
            assert len(set(found.values())) == 1
            assert len(found) in (1, 21)
        await engine.set(CREDS, b"-1")
        assert await engine.get(CREDS) == b"-1"


async def test_a_lock_of_another_process_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "auth.db"
    async with await open_engine(f"baileys-sql:sqlite:{path}") as engine:
        await engine.set(CREDS, b"1")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        write = asyncio.create_task(engine.set(CREDS, b"2"))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not write.done()
        other.execute("UPDATE auth_creds SET creds_data = '3'")
        other.execute("COMMIT")
        other.close()
        await write

        assert await engine.get(CREDS) == b"2"


async def test_a_commit_that_a_reader_holds_up_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "auth.db"
    async with await open_engine(f"baileys-sql:sqlite:{path}") as engine:
        await engine.set(CREDS, b"1")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN")
        assert other.execute("SELECT creds_data FROM auth_creds").fetchall() == [("1",)]

        write = asyncio.create_task(engine.set(CREDS, b"2"))
        while not (tmp_path / "auth.db-journal").exists():
            await asyncio.sleep(0)
        while (tmp_path / "auth.db-journal").exists():
            await asyncio.sleep(0)
        assert other.execute("SELECT creds_data FROM auth_creds").fetchall() == [("1",)]
        other.execute("COMMIT")
        other.close()
        await write

        assert await engine.get(CREDS) == b"2"


async def test_a_lock_that_is_never_let_go_is_told_in_time(tmp_path: Path) -> None:
    path = tmp_path / "auth.db"
    async with await open_engine(f"baileys-sql:sqlite:{path}?timeout=0.3") as engine:
        await engine.set(CREDS, b"1")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")

        with pytest.raises(EngineUnavailableError):
            await engine.set(CREDS, b"2")
        with pytest.raises(EngineUnavailableError):
            await engine.get(CREDS)
        with pytest.raises(EngineUnavailableError):
            await engine.list()

        other.execute("ROLLBACK")
        other.close()
        assert await engine.get(CREDS) == b"1"


async def test_a_write_that_waits_in_the_server_can_be_cancelled(database: str) -> None:
    async with await open_engine(f"baileys-sql:{database}") as engine:
        await engine.set(CREDS, b"1")
        async with held(database) as transaction:
            write = asyncio.create_task(
                engine.apply(Batch().put(key_of("pre-key", "1"), b"{}").put(CREDS, b"2"))
            )
            await waiting(database)
            write.cancel()
            await asyncio.wait([write])
            assert write.cancelled()
            await transaction.rollback()

        await engine.set(key_of("pre-key", "2"), b"{}")
        assert await engine.list() == [CREDS, key_of("pre-key", "2")]
        assert await engine.get(CREDS) == b"1"


async def test_a_write_that_waits_in_the_server_goes_on_when_it_may(database: str) -> None:
    async with await open_engine(f"baileys-sql:{database}") as engine:
        await engine.set(CREDS, b"1")
        async with held(database) as transaction:
            write = asyncio.create_task(engine.set(CREDS, b"2"))
            await waiting(database)
            assert await engine.get(CREDS) == b"1"
            await transaction.commit()
        await write

        assert await engine.get(CREDS) == b"2"


@pytest.mark.parametrize("server", ["postgres://127.0.0.1:1/app", "mysql://127.0.0.1:1/app"])
async def test_a_server_that_is_not_there_is_unavailable(server: str) -> None:
    with pytest.raises(EngineUnavailableError):
        await open_engine(f"baileys-sql:{server}")


async def test_what_no_layout_has_is_refused(tmp_path: Path) -> None:
    async with await open_engine(f"arcaelas-sql:sqlite:{tmp_path}/wa.db") as engine:
        assert isinstance(engine, LayoutEngine)
        with pytest.raises(UnsupportedError):
            await engine.acquire("worker", 5.0)
        await _refuses_bytes_that_are_no_text(engine)


async def _refuses_bytes_that_are_no_text(engine: Engine) -> None:
    with pytest.raises(UnsupportedError, match="no text"):
        await engine.set("contact/1/index", b"\xff")
    assert await engine.count() == 0
