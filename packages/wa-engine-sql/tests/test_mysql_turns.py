"""Turns on MariaDB: nothing that is cut off, stopped or too early stays in anybody's way."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from wa_core.errors import EngineUnavailableError
from wa_core.storage import Batch, open_engine
from wa_engine_sql import SqlEngine
from wa_engine_sql.mysql_text import rows

STOPPED_IN_ITS_TURN = """
import asyncio, os, signal, sys
from wa_core.errors import EngineUnavailableError
from wa_core.storage import open_engine
from wa_engine_sql.mysql_turn import Turn

write = Turn.write

async def stop_and_write(turn, change, epoch):
    os.kill(os.getpid(), signal.SIGSTOP)
    await write(turn, change, epoch)

async def main():
    async with await open_engine(sys.argv[1]) as engine:
        Turn.write = stop_and_write
        try:
            await engine.set("k", b"from the dead")
        except EngineUnavailableError:
            print("told")

asyncio.run(main())
"""


async def lock(onlooker: Any, schema: str) -> None:
    table = f"{schema.rpartition('/')[2]}.wa_sessions"
    await onlooker.query("BEGIN")
    assert await rows(onlooker, f"SELECT id FROM {table} FOR UPDATE")


async def transactions(onlooker: Any) -> int:
    others = "trx_mysql_thread_id NOT IN (0, CONNECTION_ID())"
    query = f"SELECT COUNT(*) FROM information_schema.innodb_trx WHERE {others}"
    return int((await rows(onlooker, query))[0][0])


# InnoDB shows a picture of its transactions, and takes a new one only when nobody has looked
# for a tenth of a second: who looks more often than that sees the first picture for ever.
_NEW_PICTURE_S = 0.2


async def await_no_transaction(onlooker: Any, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while await transactions(onlooker):
        assert time.monotonic() < end, "a transaction is still open"
        await asyncio.sleep(_NEW_PICTURE_S)


async def test_a_cancelled_batch_leaves_no_transaction_open(schema: str, onlooker: Any) -> None:
    dice = random.Random(7)
    async with await open_engine(schema) as engine:
        await engine.set("k", b"0")

        for number in range(30):
            batch = Batch().put("k", b"%d" % number).put(f"n/{number}", bytes(1000))
            call = asyncio.ensure_future(engine.apply(batch))
            await asyncio.sleep(dice.uniform(0, 0.01))
            call.cancel()
            await asyncio.wait([call])

        await await_no_transaction(onlooker)
        await engine.set("k", b"last")
        assert await engine.get("k") == b"last"


async def test_a_call_that_timed_out_lets_go_while_the_lock_is_still_held(
    schema: str, onlooker: Any
) -> None:
    async with await open_engine(f"{schema}?timeout=1") as engine:
        await engine.set("k", b"before")
        await lock(onlooker, schema)

        with pytest.raises(EngineUnavailableError):
            await engine.set("k", b"too late")

        await await_no_transaction(onlooker)
        await onlooker.query("ROLLBACK")
        assert await engine.get("k") == b"before"


async def test_a_process_stopped_in_its_turn_holds_nobody_up_and_writes_nothing(
    schema: str, onlooker: Any
) -> None:
    async with await open_engine(schema) as engine:
        await engine.set("k", b"before")
        stopped = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", STOPPED_IN_ITS_TURN, f"{schema}?timeout=1"),
            stdout=asyncio.subprocess.PIPE,
        )
        await asyncio.to_thread(os.waitid, os.P_PID, stopped.pid, os.WSTOPPED | os.WNOWAIT)
        assert await transactions(onlooker) == 1

        await engine.set("k", b"from the living")

        stopped.send_signal(signal.SIGCONT)
        said, _ = await stopped.communicate()
        assert said.split() == [b"told"]
        assert await engine.get("k") == b"from the living"


async def test_many_may_open_an_empty_database_at_once(schema: str) -> None:
    engines = await asyncio.gather(
        *(open_engine(f"{schema}?timeout={20 + number}#s{number}") for number in range(4))
    )

    for engine in engines:
        await engine.set("k", b"1")
        assert await engine.count() == 1
        await engine.close()


async def test_connections_go_back_to_a_pool_as_they_were(schema: str) -> None:
    theirs = create_async_engine(
        schema.replace("mariadb:", "mysql+asyncmy:"), pool_size=2, max_overflow=0
    )
    query = "SELECT @@autocommit, @@tx_isolation, @@sql_mode, @@max_statement_time"
    async with theirs.connect() as connection:
        before = (await connection.execute(text(query))).one()

    async with SqlEngine(theirs, "pooled") as engine:
        await engine.set("k", b"1")
        assert await engine.get("k") == b"1"

    async with theirs.connect() as one, theirs.connect() as two:
        for connection in (one, two):
            assert (await connection.execute(text(query))).one() == before
    await theirs.dispose()


async def test_a_connection_that_the_server_ended_is_replaced(schema: str, onlooker: Any) -> None:
    async with await open_engine(schema) as engine:
        await engine.set("k", b"1")
        name = schema.rpartition("/")[2]
        query = f"SELECT id FROM information_schema.processlist WHERE db = '{name}'"
        for (number,) in await rows(onlooker, query):
            await onlooker.query(f"KILL CONNECTION {number}")

        # The news may cross the question; what is told then may be asked again.
        with suppress(EngineUnavailableError):
            await engine.get("k")
        assert await engine.get("k") == b"1"
