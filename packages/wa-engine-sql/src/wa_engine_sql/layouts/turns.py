"""Transactions on borrowed connections: one moment for a read, one writer of a session at a time.

The idea: what a database has for it is said in a few statements at the beginning. A lock that
somebody holds, and a transaction that was ended in favour of another one, pass; such a turn is
taken again until the engine's time is over.
"""

from __future__ import annotations

import asyncio
import math
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar
from zlib import crc32

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from wa_core.errors import EngineConfigError, EngineUnavailableError, WaError

from wa_engine_sql.faults import causes, told
from wa_engine_sql.layouts.hand import Hand
from wa_engine_sql.lines import HeldLine, Loan
from wa_engine_sql.place import Place
from wa_engine_sql.sqlite import is_half_written

T = TypeVar("T")
Work = Callable[[Hand], Awaitable[T]]

_Opening = dict[str, tuple[str, ...]]
"""What is said first, by SQLAlchemy's name of the database."""

_READING: _Opening = {
    # Looking is what begins it; and what is known of the tables may be of before they were made.
    "sqlite": ("BEGIN", "SELECT 1 FROM sqlite_master LIMIT 1"),
    "postgresql": ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",),
    "mysql": (
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ),
}
_WRITING: _Opening = {
    "sqlite": ("BEGIN IMMEDIATE",),
    "postgresql": ("SELECT pg_advisory_xact_lock(30561, {lock})",),
    "mysql": ("START TRANSACTION",),
}
_PASSING_SQLITE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT)
_PASSING_STATES = ("40001", "40P01")
_PASSING_NUMBERS = (1020, 1213)
_ATTEMPTS = 3
"""How often a row that somebody else may have just inserted is written again."""
_MERCY_S = 1.0
"""How long a turn that was cut off may take to end."""
_FIRST_WAIT_S, _LAST_WAIT_S = 0.001, 0.05


class Turns:
    """The transactions of one session."""

    def __init__(self, place: Place, lock: str, timeout: float) -> None:
        self._place = place
        self._database = place.engine.dialect.name
        number = crc32(lock.encode())
        self._lock = number - (1 << 32) if number >> 31 else number
        self._seconds = math.ceil(timeout)

    async def read(self, work: Work[T]) -> T:
        """Do work that sees one moment and changes nothing."""
        return await self._again_and_again(self._place.reading, _READING, work)

    async def write(self, work: Work[T]) -> T:
        """Do work that takes effect as one, or not at all."""
        return await self._again_and_again(self._place.writing, _WRITING, work)

    async def _again_and_again(
        self, borrow: Callable[[], Loan], opening: _Opening, work: Work[T]
    ) -> T:
        wait, refusals = _FIRST_WAIT_S, 0
        while True:
            async with borrow() as line:
                try:
                    return await self._guarded(line, opening, work)
                except WaError:
                    raise
                except IntegrityError:
                    refusals += 1
                    if refusals == _ATTEMPTS:
                        raise _constraint() from None
                except Exception as exc:
                    if any(is_half_written(one) for one in causes(exc)):
                        line.drop()
                    elif not _passes(exc):
                        # Not `from exc`: what the database says may quote keys and values.
                        raise told(exc, self._place.dialect.meaning) from None
            # Nobody tells when a lock of another process is let go.
            await asyncio.sleep(wait * random.uniform(0.5, 1.5))
            wait = min(2 * wait, _LAST_WAIT_S)

    async def _guarded(self, line: HeldLine, opening: _Opening, work: Work[T]) -> T:
        """Take a turn in a task of its own, so that a cancel finds the connection in order."""
        assert line.connection is not None, "layouts borrow connections of SQLAlchemy"
        hand = Hand(line.connection)
        task = asyncio.ensure_future(self._in_order(line, line.connection, hand, opening, work))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            hand.is_given_up = True
            await self._end(line, task)
            raise

    async def _end(self, line: HeldLine, task: asyncio.Task[T]) -> None:
        """End a turn that was cut off.

        A server ends what a connection was doing when it is cut; SQLAlchemy would wait for a polite
        end first. A file has no server: its statement is interrupted, and rolls back by itself.
        """
        if self._place.dialect.one_writer:
            # aiosqlite has a ValueError for a connection that is closed.
            with suppress(asyncio.CancelledError, ValueError):
                await line.driver.interrupt()
                await asyncio.wait([task], timeout=_MERCY_S)
        if not task.done():
            self._place.dialect.abort(line)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task], timeout=_MERCY_S)
            line.drop()
        if task.done() and not task.cancelled():
            task.exception()  # Read, as nobody else will.

    async def _in_order(
        self,
        line: HeldLine,
        connection: AsyncConnection,
        hand: Hand,
        opening: _Opening,
        work: Work[T],
    ) -> T:
        try:
            return await self._once(connection, hand, opening, work)
        except Exception:
            if self._place.dialect.one_writer:
                # A commit that a reader holds up fails, and neither SQLite nor SQLAlchemy ends
                # its transaction.
                await line.driver.rollback()
            raise

    async def _once(
        self, connection: AsyncConnection, hand: Hand, opening: _Opening, work: Work[T]
    ) -> T:
        locked = opening is _WRITING and self._database == "mysql"
        async with self._alone(connection) if locked else _free(), connection.begin():
            for statement in opening[self._database]:
                await hand.say(statement.format(lock=self._lock))
            found = await work(hand)
            hand.check()
            return found

    @asynccontextmanager
    async def _alone(self, connection: AsyncConnection) -> AsyncIterator[None]:
        """Hold a lock of MySQL's, which has none that ends with a transaction."""
        async with connection.begin():
            asked = f"SELECT GET_LOCK('wa {self._lock}', {self._seconds})"
            if (await connection.exec_driver_sql(asked)).scalar() != 1:
                raise EngineUnavailableError("another writer is at work on this session")
        try:
            yield
        except Exception:
            await self._let_go(connection)
            raise
        await self._let_go(connection)

    async def _let_go(self, connection: AsyncConnection) -> None:
        # A connection that is gone has let go by itself.
        if not (connection.closed or connection.invalidated):
            async with connection.begin():
                await connection.exec_driver_sql(f"SELECT RELEASE_LOCK('wa {self._lock}')")


@asynccontextmanager
async def _free() -> AsyncIterator[None]:
    yield


def _constraint() -> EngineConfigError:
    return EngineConfigError(
        "a constraint of the table refuses the row",
        "look for an owner that another table must know, for a column without default, "
        "and for a collation that takes two keys for one",
    )


def _passes(error: BaseException) -> bool:
    """Tell whether the same transaction may simply be begun again."""
    return any(
        (getattr(one, "sqlite_errorcode", None) or 0) & 0xFF in _PASSING_SQLITE
        or getattr(one, "sqlstate", None) in _PASSING_STATES
        or (bool(one.args) and one.args[0] in _PASSING_NUMBERS)
        for one in causes(error)
    )
