"""D2: each setting that weakens the promise, on a real server that was started that way; and what
a server may be that is none for us.
"""

from __future__ import annotations

import logging
from typing import Any

import asyncpg
import pytest
from wa_conformance.servers import PostgresServer, needed
from wa_core.errors import (
    EngineConfigError,
    EngineUnavailableError,
    InvalidUrlError,
    StoreVersionError,
)
from wa_core.storage import Durability, list_sessions, open_engine

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("setting", "level"),
    [
        ("fsync", Durability.PROCESS),
        ("full_page_writes", Durability.PROCESS),
        ("synchronous_commit", Durability.VOLATILE),
    ],
)
async def test_a_weaker_setting_is_named_once_and_no_more_is_promised(
    setting: str, level: Durability, caplog: pytest.LogCaptureFixture
) -> None:
    with needed(lambda: PostgresServer(settings={setting: "off"})) as server:
        with caplog.at_level(logging.WARNING):
            async with await open_engine(server.url) as engine:
                assert engine.capabilities.durability is level

        told = [r for r in caplog.records if r.name.startswith("wa_engine_sql")]
        assert [f"{setting}=off" in record.getMessage() for record in told] == [True]
        with pytest.raises(EngineConfigError, match=setting):
            await open_engine(f"{server.url}?durability=power")


async def test_a_server_as_it_comes_gives_power(
    postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with await open_engine(postgres.url) as engine:
            assert engine.capabilities.durability is Durability.POWER

    assert not [r for r in caplog.records if r.name.startswith("wa_engine_sql")]


async def test_a_table_that_a_crash_empties_is_volatile(database: str) -> None:
    async with await open_engine(database) as engine:
        await engine.set("k", b"1")
    db = await asyncpg.connect(database)
    await db.execute("ALTER TABLE wa_records SET UNLOGGED")
    await db.close()

    async with await open_engine(database) as engine:
        assert engine.capabilities.durability is Durability.VOLATILE
    with pytest.raises(EngineConfigError, match="UNLOGGED"):
        await open_engine(f"{database}?durability=process")


async def test_tables_of_a_newer_package_are_refused(database: str) -> None:
    async with await open_engine(database) as engine:
        await engine.set("k", b"1")
    db = await asyncpg.connect(database)
    await db.execute("UPDATE wa_meta SET version = 2")
    await db.close()

    for read_only in (False, True):
        with pytest.raises(StoreVersionError):
            await open_engine(database, read_only=read_only)


async def test_keys_that_a_collation_compares_are_refused(database: str) -> None:
    db = await asyncpg.connect(database)
    await db.execute("CREATE TABLE wa_meta (version integer); INSERT INTO wa_meta VALUES (1)")
    await db.execute("CREATE TABLE wa_sessions (id integer, name bytea, version integer)")
    await db.execute("CREATE TABLE wa_records (key text, value bytea)")
    await db.close()

    with pytest.raises(EngineConfigError, match="bytea"):
        await open_engine(database)


async def test_looking_makes_no_tables(database: str) -> None:
    with pytest.raises(EngineConfigError, match="nothing to read"):
        await open_engine(database, read_only=True)
    assert await list_sessions(database) == []

    db = await asyncpg.connect(database)
    assert await db.fetchval("SELECT count(*) FROM pg_class WHERE relname LIKE 'wa%'") == 0
    await db.close()


async def test_parts_of_the_url_reach_the_driver(database: str, witness: Any) -> None:
    async with await open_engine(f"{database}?application_name=wa-test-name") as engine:
        await engine.set("k", b"1")
        found = await witness.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'wa-test-name'"
        )

    assert found >= 1


async def test_tls_that_is_asked_for_is_not_left_out(database: str) -> None:
    with pytest.raises(EngineUnavailableError):
        await open_engine(f"{database}?sslmode=require&timeout=5")


async def test_a_parameter_that_nobody_knows_is_refused(database: str) -> None:
    with pytest.raises(InvalidUrlError, match="sslmod"):
        await open_engine(f"{database}?sslmod=require")


async def test_the_short_form_is_the_same_place(database: str) -> None:
    async with await open_engine(f"{database}#one") as engine:
        await engine.set("k", b"1")

    async with await open_engine(f"postgres:{database.partition('//')[2]}#one") as engine:
        assert await engine.get("k") == b"1"


async def test_a_database_that_is_not_there_is_named_as_the_reason(
    postgres: PostgresServer,
) -> None:
    with pytest.raises(EngineConfigError, match="database"):
        await open_engine(postgres.url.rpartition("/")[0] + "/none")


async def test_nobody_at_the_port_is_told_at_once() -> None:
    with pytest.raises(EngineUnavailableError):
        await open_engine("postgres:postgres@127.0.0.1:1/postgres?timeout=5")
