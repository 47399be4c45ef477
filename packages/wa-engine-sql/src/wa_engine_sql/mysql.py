"""The dialect of MariaDB and MySQL, through asyncmy's own connections.

The idea: nothing waits for ever, on either side. The server ends statements that take longer than
the engine waits, and transactions whose owner was stopped; a call that is cut off cuts its
connection, and with it its transaction [X1].
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from asyncmy import errors
from wa_core.errors import EngineUnavailableError, WaError
from wa_core.storage import Durability

from wa_engine_sql import mysql_faults, mysql_quick, mysql_rows, mysql_schema
from wa_engine_sql.change import Change
from wa_engine_sql.dialect import Line, Row, Settings
from wa_engine_sql.mysql_quick import Known
from wa_engine_sql.mysql_text import STANDS_STILL_S, Wording, ask, wording_of
from wa_engine_sql.mysql_turn import Turn, begin
from wa_engine_sql.pace import Pace
from wa_engine_sql.relay import Leg

_ATTEMPTS = 5
_PAUSE_S = 0.02
_MODE = "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION"


class MysqlDialect:
    """MariaDB and MySQL."""

    name = "MariaDB or MySQL"
    one_writer = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._found: dict[int, tuple[str, ...]] = {}
        self._paces: dict[bytes, Pace[Known]] = {}

    def meaning(self, error: BaseException) -> WaError | None:
        """Say what an error of asyncmy means."""
        return mysql_faults.meaning(error)

    async def prepare(self, line: Line) -> None:
        """Bound what the server does for us, and how long it waits for us."""
        wanted = self._wanted(line.driver)
        asked = ",".join(f"@@{name}" for name in wanted)
        said = ",".join(f"{name}={value}" for name, value in wanted.items())
        answers = await ask(line.driver, f"SELECT {asked}", f"SET {said}")
        line.driver._read_timeout = None
        before = zip(wanted, answers[0][0], strict=True)
        self._found[id(line.driver)] = tuple(
            f"{name}={value!r}" if isinstance(value, str) else f"{name}={value}"
            for name, value in before
        )

    def _wanted(self, db: Any) -> dict[str, str]:
        seconds = self._settings.timeout
        wording = wording_of(db)
        waits = str(max(1, math.ceil(seconds)))
        wanted = {
            "autocommit": "1",
            "sql_mode": f"'{_MODE}'",
            wording.isolation: "'READ-COMMITTED'",
            "innodb_lock_wait_timeout": waits,
            "lock_wait_timeout": waits,
            wording.statement_time: f"{_rounded(0.9 * seconds / wording.unit_s)}",
        }
        if wording.idle_time:
            wanted[wording.idle_time] = str(max(1, math.ceil(min(seconds, STANDS_STILL_S))))
        if self._settings.read_only:
            wanted[wording.isolation.replace("isolation", "read_only")] = "1"
        return wanted

    async def restore(self, line: Line) -> None:
        """Set back what `prepare` has set."""
        await ask(line.driver, f"SET {','.join(self._found.pop(id(line.driver)))}")

    async def hang_up(self, line: Line) -> None:
        """Say good-bye, and wait for the end."""
        self._found.pop(id(line.driver), None)
        await line.driver.ensure_closed()

    def usable(self, line: Line, error: BaseException | None) -> bool:
        """A call that was cut off ends its connection; an answer that says no does not."""
        if error is not None and not isinstance(error, WaError):
            return mysql_faults.is_answer(error) and not line.driver._stream_broken
        return not line.driver._stream_broken

    def abort(self, line: Line) -> None:
        """Close the socket; the server ends the transaction."""
        self._found.pop(id(line.driver), None)
        transport = line.driver._transport
        if transport is not None:
            transport.abort()
        line.driver.close()

    async def install(self, line: Line) -> None:
        """Make the tables."""
        await mysql_schema.install(line.driver)

    async def version(self, line: Line, session: bytes) -> int | None:
        """Return the version of the tables or of the session, whichever is later."""
        return await mysql_schema.version(line.driver, session)

    async def durability(self, line: Line) -> Durability:
        """Return what the server's settings give."""
        return await mysql_schema.durability(
            line.driver, self._settings.durability, read_only=self._settings.read_only
        )

    async def get_many(self, line: Line, session: bytes, keys: Sequence[bytes]) -> list[Row]:
        """Read records in one moment."""
        return await mysql_rows.get_many(line.driver, session, keys)

    async def page(
        self, line: Line, session: bytes, prefix: bytes, offset: int, limit: int | None
    ) -> list[bytes]:
        """Read keys in page order."""
        return await mysql_rows.page(line.driver, session, prefix, offset, limit)

    async def count(self, line: Line, session: bytes, prefix: bytes) -> int:
        """Count keys."""
        return await mysql_rows.count(line.driver, session, prefix)

    async def chunk(
        self, line: Line, session: bytes, start: bytes, end: bytes, limit: int
    ) -> list[Row]:
        """Read records in the order of their keys."""
        return await mysql_rows.chunk(line.driver, session, start, end, limit)

    async def apply(
        self, line: Line, session: bytes, change: Change, epoch: int | None, leg: Leg
    ) -> None:
        """Make a change in one transaction; a deadlock is tried again."""
        for attempt in range(_ATTEMPTS):
            pace = self._paces.setdefault(session, Pace())
            try:
                if await _at_once(line.driver, pace, change, epoch):
                    return
                async with _turn(line.driver, session) as turn:
                    await turn.write(change, epoch)
                    if pace.is_alone():
                        pace.went(Known.after(turn, change))
                    return
            except errors.DatabaseError as exc:
                if not mysql_faults.is_deadlock(exc):
                    raise
            await asyncio.sleep(attempt * random.uniform(0, _PAUSE_S))
        raise EngineUnavailableError("transactions stand in each other's way")

    async def clear(self, line: Line, session: bytes) -> None:
        """Remove all records."""
        async with _turn(line.driver, session) as turn:
            await turn.clear()

    async def acquire(self, line: Line, session: bytes, holder: str, ttl: float) -> int:
        """Take the lease."""
        async with _turn(line.driver, session) as turn:
            return await turn.acquire(holder, ttl)

    async def holder(self, line: Line, session: bytes) -> tuple[str, int] | None:
        """Read who holds the lease."""
        return await mysql_rows.holder(line.driver, session)

    async def renew(self, line: Line, session: bytes, epoch: int, ttl: float) -> None:
        """Prolong the lease."""
        async with _turn(line.driver, session) as turn:
            await turn.renew(epoch, ttl)

    async def release(self, line: Line, session: bytes, epoch: int) -> None:
        """End the lease."""
        async with _turn(line.driver, session) as turn:
            await turn.release(epoch)

    async def sessions(self, line: Line) -> list[bytes]:
        """Name the sessions that hold records."""
        return await mysql_rows.sessions(line.driver)


async def _at_once(db: Any, pace: Pace[Known], change: Change, epoch: int | None) -> bool:
    wording = wording_of(db)
    async with _rolled_back(db, wording):
        return await mysql_quick.write(db, wording, pace, change, epoch)


@asynccontextmanager
async def _turn(db: Any, session: bytes) -> AsyncIterator[Turn]:
    """Lock the session; whatever is not committed in the block is rolled back."""
    wording = wording_of(db)
    async with _rolled_back(db, wording):
        yield await begin(db, session, wording)


@asynccontextmanager
async def _rolled_back(db: Any, wording: Wording) -> AsyncIterator[None]:
    """Roll back after an error; after a cancel nothing more is said: the connection is cut, which
    says it all."""
    try:
        yield
    except Exception as exc:
        if isinstance(exc, WaError) or mysql_faults.is_answer(exc):
            await ask(db, "ROLLBACK", *wording.after)
        raise


def _rounded(amount: float) -> float:
    return round(amount, 3) if amount < 100 else round(amount)
