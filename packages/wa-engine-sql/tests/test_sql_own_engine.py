"""`SqlEngine` on an `AsyncEngine` that belongs to somebody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from wa_conformance.servers import PostgresServer
from wa_core.errors import EngineConfigError
from wa_core.storage import Durability
from wa_engine_sql import SqlEngine


async def test_it_is_left_open_and_as_it_was(tmp_path: Path) -> None:
    theirs = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/wa.db")
    async with theirs.connect() as connection:
        before = (await connection.execute(text("PRAGMA busy_timeout"))).scalar_one()

    async with SqlEngine(theirs, "one") as engine, SqlEngine(theirs, "two") as other:
        await engine.set("k", b"1")
        assert await other.get("k") is None

    for _ in range(3):
        async with theirs.connect() as connection:
            after = (await connection.execute(text("PRAGMA busy_timeout"))).scalar_one()
            assert after == before
    await theirs.dispose()


async def test_nothing_is_promised_before_the_database_was_asked(tmp_path: Path) -> None:
    theirs = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/wa.db")

    engine = SqlEngine(theirs)
    promises = [engine.capabilities.durability]
    await engine.set("k", b"1")
    promises.append(engine.capabilities.durability)
    assert promises == [Durability.VOLATILE, Durability.POWER]

    await engine.close()
    opened = await SqlEngine.open(theirs)
    assert opened.capabilities.durability is Durability.POWER
    await opened.close()
    await theirs.dispose()


async def test_a_database_in_memory_is_volatile() -> None:
    theirs = create_async_engine("sqlite+aiosqlite://")

    async with await SqlEngine.open(theirs) as engine:
        await engine.set("k", b"1")
        assert await engine.get("k") == b"1"
        assert engine.capabilities.durability is Durability.VOLATILE

    await theirs.dispose()


async def test_connections_go_back_to_the_pool_of_a_server(postgres: PostgresServer) -> None:
    url = postgres.url.replace("postgresql:", "postgresql+asyncpg:")
    theirs = create_async_engine(url, pool_size=2, max_overflow=0)

    async with SqlEngine(theirs, "pooled") as engine:
        await engine.set("k", b"1")
        assert await engine.get("k") == b"1"

    async with theirs.connect() as one, theirs.connect() as two:
        for connection in (one, two):
            found = await connection.execute(text("SHOW statement_timeout"))
            assert found.scalar_one() == "0"
    await theirs.dispose()


async def test_a_driver_that_is_not_ours_is_refused_by_name(tmp_path: Path) -> None:
    theirs = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/wa.db")
    theirs.dialect.driver = "pysqlite"

    with pytest.raises(EngineConfigError, match="aiosqlite"):
        await SqlEngine(theirs).get("k")

    await theirs.dispose()
