"""Transactions that are left: by a process that was killed or stopped, by a cancel, by silence."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from bson import Int64
from pymongo.errors import OperationFailure
from wa_core.errors import FencedError
from wa_core.storage import Batch, open_engine
from wa_engine_mongo.engine import MongoEngine
from wa_engine_mongo.place import RECORDS

WRITER = """
import asyncio, sys
from wa_core.errors import FencedError
from wa_core.storage import Batch, open_engine

async def main():
    engine = await open_engine(sys.argv[1])
    lease = await engine.acquire("sleeper", 1.0)
    await engine.apply(Batch().put("k", b"early"), fence=lease)
    commit = engine._transactions._committed

    async def in_the_middle(session):
        print("in the middle", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await commit(session)

    engine._transactions._committed = in_the_middle
    try:
        await engine.apply(Batch().put("k", b"late").put("late", b"1"), fence=lease)
    except FencedError:
        print("fenced", flush=True)
    else:
        print("wrote", flush=True)

asyncio.run(main())
"""


@asynccontextmanager
async def writer_in_mid_transaction(url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, url, stdin=pipe, stdout=pipe
    )
    try:
        await heard(process, "in the middle")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def heard(process: asyncio.subprocess.Process, wanted: str) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(30):
        line = (await process.stdout.readline()).decode().strip()
    assert line == wanted


async def test_a_killed_writer_holds_nobody_up(replicated: str) -> None:
    async with await open_engine(replicated) as engine:
        async with writer_in_mid_transaction(replicated) as writer:
            writer.kill()
            await writer.wait()
            begun = time.monotonic()

            await engine.set("k", b"next")

        assert time.monotonic() - begun < 3.0
        assert await engine.get("k") == b"next"
        assert await engine.get("late") is None


async def test_a_stopped_writer_loses_its_lease_and_wakes_up_fenced(replicated: str) -> None:
    async with await open_engine(replicated) as engine:
        async with writer_in_mid_transaction(replicated) as writer:
            writer.send_signal(signal.SIGSTOP)
            await asyncio.sleep(1.1)

            lease = await engine.acquire("next", 60)
            await engine.apply(Batch().put("k", b"next"), fence=lease)
            writer.send_signal(signal.SIGCONT)
            assert writer.stdin is not None
            writer.stdin.write(b"go on\n")
            await writer.stdin.drain()

            await heard(writer, "fenced")
        assert await engine.get_many(["k", "late"]) == {"k": b"next"}


async def test_a_cancelled_write_leaves_no_transaction_open(replicated: str) -> None:
    async with await open_engine(replicated) as engine:
        for ticks in range(0, 60, 3):
            task = asyncio.create_task(engine.apply(Batch().put("a", b"1").delete("b")))
            for _ in range(ticks):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait((task,))
        assert isinstance(engine, MongoEngine)
        await engine.set("after", b"1")

        assert await open_transactions(engine) == []


async def test_a_request_of_an_older_transaction_is_refused(replicated: str) -> None:
    """What the network held back arrives under a number that has passed."""
    async with await open_engine(replicated) as engine:
        assert isinstance(engine, MongoEngine)
        await engine.set("k", b"1")
        session = engine._transactions._session
        assert session is not None
        late = {
            "update": RECORDS,
            "updates": [{"q": {"_id": engine.keys.id("k")}, "u": {"$set": {"v": b"late"}}}],
            "lsid": session.session_id,
            "txnNumber": Int64(session._server_session.transaction_id),
            "autocommit": False,
            "startTransaction": True,
        }
        await engine.set("k", b"2")

        with pytest.raises(OperationFailure, match="txnNumber"):
            await raw(engine, late)

        assert await engine.get("k") == b"2"


async def raw(engine: MongoEngine, command: dict[str, Any]) -> None:
    """Send a command as it is: the driver would give it a session of its own."""
    client = engine.place.database.client
    async with await client._conn_for_writes(None, "raw") as connection:
        await connection.command(engine.place.database.name, command)


async def open_transactions(engine: MongoEngine) -> list[dict[str, Any]]:
    admin = engine.place.database.client.admin
    async with await admin.aggregate(
        [
            {"$currentOp": {"idleSessions": True}},
            {"$match": {"transaction": {"$exists": True}, "active": False}},
        ]
    ) as cursor:
        return await cursor.to_list()


async def test_a_lease_that_ends_while_a_batch_is_written_fences_it(replicated: str) -> None:
    async with await open_engine(replicated) as engine:
        assert isinstance(engine, MongoEngine)
        lease = await engine.acquire("slow", 0.3)
        ask = engine.place.ask

        async def slow(command: Any, **session: Any) -> Any:
            if "update" in command and session:
                await asyncio.sleep(0.4)
            return await ask(command, **session)

        engine.place.ask = slow  # type: ignore[method-assign]
        with pytest.raises(FencedError):
            await engine.apply(Batch().put("k", b"late"), fence=lease)

        assert await engine.get("k") is None
