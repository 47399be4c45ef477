"""What a call leaves on the server when it is cancelled, stopped or in the way of others."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

import asyncpg
import pytest
from wa_conformance.servers import PostgresServer, needed
from wa_core.errors import EngineUnavailableError, LeaseHeldError
from wa_core.storage import Batch, Engine, Lease, open_engine
from wa_engine_sql import SqlEngine, postgres_quick, postgres_rows
from wa_engine_sql.place import LINES

_OPEN_TRANSACTIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' "
    "AND datname = current_database()"
)
_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
_STOPPED = """
import asyncio, sys
from wa_core.storage import Batch, open_engine
from wa_engine_sql import postgres_quick, postgres_rows

async def asks_first(*_):
    return False

async def main():
    engine = await open_engine(sys.argv[1])
    await engine.set("k", b"before")
    postgres_quick.write = asks_first
    lease = await engine.acquire("stopped", 1)

    async def stop(db, ident, epoch):
        print("now", flush=True)
        sys.stdin.readline()
        await commit(db, ident, epoch)

    commit, postgres_rows.commit = postgres_rows.commit, stop
    try:
        await engine.apply(Batch().put("k", b"late"), fence=lease)
        print("written", flush=True)
    except Exception as exc:
        print(type(exc).__name__, flush=True)

asyncio.run(main())
"""


async def _none_open(witness: Any) -> None:
    """Wait until the server has noticed; it does so at once, but not before us."""
    async with asyncio.timeout(10):
        while await witness.fetchval(_OPEN_TRANSACTIONS):
            await asyncio.sleep(0.01)


async def _at_most(connections: int, witness: Any) -> None:
    """Wait until the server has let go of the connections that were cut."""
    async with asyncio.timeout(10):
        while await witness.fetchval(_CONNECTIONS) > connections:
            await asyncio.sleep(0.01)


async def _taken_over(engine: Engine) -> Lease:
    """Take the lease as soon as it has run out."""
    while True:
        try:
            return await engine.acquire("next", 60)
        except LeaseHeldError as exc:
            await asyncio.sleep(exc.expires_in)


async def test_cancelled_calls_leave_no_transaction_open(database: str) -> None:
    witness = await asyncpg.connect(database)
    async with await open_engine(database) as engine:
        await engine.set("k", b"1")
        for ticks in range(40):
            task = asyncio.ensure_future(engine.apply(Batch().put("k", b"2").delete("x")))
            for _ in range(ticks):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait((task,))
        await _none_open(witness)
        await engine.set("k", b"3")
        assert await engine.get("k") == b"3"
        await _at_most(LINES + 1, witness)
    await witness.close()


async def test_a_session_that_somebody_else_locks_is_told_in_time(database: str) -> None:
    witness = await asyncpg.connect(database)
    async with await open_engine(f"{database}?timeout=2") as engine:
        await engine.set("k", b"1")
        async with witness.transaction():
            await witness.execute("SELECT 1 FROM wa_sessions FOR UPDATE")
            with pytest.raises(EngineUnavailableError):
                await engine.set("k", b"2")
            assert await engine.get("k") == b"1"
        await engine.set("k", b"3")
    await witness.close()


async def test_deadlocks_and_serialization_failures_are_tried_again(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [asyncpg.DeadlockDetectedError("x"), asyncpg.SerializationError("x")]

    def failing(call: Any) -> Any:
        async def fail(*args: Any) -> Any:
            if failures:
                raise failures.pop()
            return await call(*args)

        return fail

    async with await open_engine(database) as engine:
        for module, name in ((postgres_rows, "commit"), (postgres_quick, "write")):
            monkeypatch.setattr(module, name, failing(getattr(module, name)))
        await engine.set("k", b"1")
        assert await engine.get("k") == b"1"
        failures.extend(asyncpg.DeadlockDetectedError("x") for _ in range(99))
        with pytest.raises(EngineUnavailableError):
            await engine.set("k", b"2")
        failures.clear()
        assert await engine.get("k") == b"1"


async def test_a_process_stopped_before_its_commit_holds_nobody_up_and_commits_nothing(
    database: str,
) -> None:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _STOPPED, database),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdin is not None
    try:
        assert await child.stdout.readline() == b"now\n"
        os.kill(child.pid, signal.SIGSTOP)

        async with await open_engine(database) as engine:
            lease = await _taken_over(engine)
            await engine.apply(Batch().put("k", b"next"), fence=lease)

            os.kill(child.pid, signal.SIGCONT)
            child.stdin.write(b"go on\n")
            told = await child.stdout.readline()
            assert told.strip() in (b"FencedError", b"EngineUnavailableError")
            assert await engine.get("k") == b"next"
    finally:
        child.kill()
        await child.wait()


async def test_a_server_that_was_restarted_is_found_again() -> None:
    with needed(PostgresServer) as server:
        async with await open_engine(f"{server.url}?timeout=5") as engine:
            await engine.set("k", b"1")
            server.kill()
            with pytest.raises(EngineUnavailableError):
                await engine.get("k")
            server.restart()

            assert await engine.get("k") == b"1"
            await engine.set("k", b"2")


async def test_a_page_is_read_from_an_index_and_not_sorted(database: str) -> None:
    engine = await open_engine(database)
    assert isinstance(engine, SqlEngine)
    for start in range(0, 6_000, 1_000):
        batch = Batch()
        for number in range(start, start + 1_000):
            batch.put(f"chat/{number % 50}/message/{number}/raw", b"x")
        await engine.apply(batch)

    async with engine.place.reading() as line:
        asked: list[str] = []
        line.driver.add_query_logger(lambda record: asked.append(record.query))
        for prefix in ("", "chat/", "chat/7/", "chat/7/message/"):
            assert (
                len(await engine.place.dialect.page(line, b"default", prefix.encode(), 5, 50)) == 50
            )
        for query in list(asked):
            values = ("'default'", "5", "50", "1", "5", "'x'")
            for number, value in enumerate(values, 1):
                query = query.replace(f"${number}", value)
            plan = "\n".join(row[0] for row in await line.driver.fetch(f"EXPLAIN {query}"))
            assert "wa_page_" in plan
            assert "Sort" not in plan
    await engine.close()
