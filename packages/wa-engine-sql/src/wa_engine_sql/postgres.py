"""The dialect of PostgreSQL, through asyncpg's own connections.

The idea: nothing waits for ever, on either side. The server ends statements that take longer than
the engine waits, and transactions whose owner was stopped; a call that is cut off cuts its
connection, and with it its transaction [X1].
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from wa_core.errors import EngineConfigError, EngineUnavailableError, StorageError, WaError
from wa_core.storage import Durability

from wa_engine_sql import postgres_quick, postgres_rows, postgres_schema
from wa_engine_sql.change import Change
from wa_engine_sql.dialect import Line, Row, Settings
from wa_engine_sql.pace import Pace
from wa_engine_sql.relay import Leg

_ATTEMPTS = 5
_PAUSE_S = 0.02
_STOPPED_S = 5.0
"""How long a transaction may stand still before the server ends it: its process was stopped."""

_UNAVAILABLE = {
    "08": "the connection to PostgreSQL broke",
    "53": "PostgreSQL is out of memory, disk or connections",
    "55P03": "another session holds the lock",
    "57014": "PostgreSQL did not finish in time",
    "57": "PostgreSQL is shutting down or starting",
    "58": "PostgreSQL reports an error of the system",
    "25P03": "PostgreSQL ended a transaction that stood still",
    "25006": "this PostgreSQL takes no writes: is it a standby?",
    "40": "transactions stand in each other's way",
}
_CONFIG = {
    "28": ("the credentials", "PostgreSQL refuses them: check user and password"),
    "3D000": ("the database", "there is none of this name: create it"),
    "3F000": ("the schema", "there is none of this name: create it, or set search_path"),
    "42501": ("the privileges", "this role may not use or make our tables: GRANT it"),
}
_SETTINGS = {
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "enable_incremental_sort": "off",
    "jit": "off",
}
"""All our statements walk an index, most of them in its order; a planner whose statistics are
older than the records sometimes thinks otherwise."""
_RETRIED = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


class PostgresDialect:
    """PostgreSQL."""

    name = "PostgreSQL"
    one_writer = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._idents: dict[bytes, int] = {}
        self._paces: dict[bytes, Pace[int]] = {}

    def meaning(self, error: BaseException) -> WaError | None:
        """Say what an error of asyncpg means."""
        if isinstance(error, asyncpg.PostgresError):
            return _told(error.sqlstate or "")
        if isinstance(error, asyncpg.ClientConfigurationError):
            return EngineConfigError("postgres URL", "the driver cannot use it: check TLS files")
        if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError):
            return EngineUnavailableError(_UNAVAILABLE["08"])
        return None

    async def prepare(self, line: Line) -> None:
        """Bound what the server does for us, and how long it waits for us."""
        seconds = self._settings.timeout
        wanted = {
            **_SETTINGS,
            "statement_timeout": _milliseconds(0.9 * seconds),
            "idle_in_transaction_session_timeout": _milliseconds(min(seconds, _STOPPED_S)),
        }
        if self._settings.durability is Durability.VOLATILE:
            wanted["synchronous_commit"] = "off"
        if self._settings.read_only:
            wanted["default_transaction_read_only"] = "on"
        calls = [f"set_config('{name}', '{value}', false)" for name, value in wanted.items()]
        await line.driver.execute("SELECT " + ", ".join(calls))

    async def restore(self, line: Line) -> None:
        """Let the server's own settings hold again."""
        await line.driver.execute("RESET ALL")

    async def hang_up(self, line: Line) -> None:
        """Say good-bye, and wait for the end."""
        await line.driver.close()

    def usable(self, line: Line, error: BaseException | None) -> bool:
        """A call that was cut off, or left a transaction open, ends its connection."""
        driver = line.driver
        if isinstance(error, asyncio.CancelledError | TimeoutError | GeneratorExit):
            return False
        return not driver.is_closed() and not driver.is_in_transaction()

    def abort(self, line: Line) -> None:
        """Close the socket; the server ends the transaction."""
        line.driver.terminate()

    async def install(self, line: Line) -> None:
        """Make the tables."""
        await postgres_schema.install(line.driver)

    async def version(self, line: Line, session: bytes) -> int | None:
        """Return the version of the tables or of the session, whichever is later."""
        return await postgres_schema.version(line.driver, session)

    async def durability(self, line: Line) -> Durability:
        """Return what the server's settings give."""
        return await postgres_schema.durability(line.driver, self._settings.durability)

    async def get_many(self, line: Line, session: bytes, keys: Sequence[bytes]) -> list[Row]:
        """Read records in one moment."""
        return await postgres_rows.get_many(line.driver, session, keys)

    async def page(
        self, line: Line, session: bytes, prefix: bytes, offset: int, limit: int | None
    ) -> list[bytes]:
        """Read keys in page order."""
        return await postgres_rows.page(line.driver, session, prefix, offset, limit)

    async def count(self, line: Line, session: bytes, prefix: bytes) -> int:
        """Count keys."""
        return await postgres_rows.count(line.driver, session, prefix)

    async def chunk(
        self, line: Line, session: bytes, start: bytes, end: bytes, limit: int
    ) -> list[Row]:
        """Read records in the order of their keys."""
        return await postgres_rows.chunk(line.driver, session, start, end, limit)

    async def apply(
        self, line: Line, session: bytes, change: Change, epoch: int | None, leg: Leg
    ) -> None:
        """Make a change in one transaction; a deadlock or a lost session is tried again."""
        for attempt in range(_ATTEMPTS):
            ident = await self._ident(line, session)
            pace = self._paces.setdefault(session, Pace())
            try:
                if await postgres_quick.write(line.driver, pace, ident, change, epoch, leg):
                    return
                await leg.alone()
                async with _transaction(line.driver, ident) as name:
                    if await postgres_rows.write(line.driver, ident, change, name):
                        await postgres_quick.learn(line.driver, pace, ident)
                        await postgres_rows.commit(line.driver, ident, epoch)
                        return
                del self._idents[session]
            except _RETRIED:
                if attempt == _ATTEMPTS - 1:
                    raise
            await asyncio.sleep(attempt * random.uniform(0, _PAUSE_S))
        raise EngineUnavailableError("somebody removes this session again and again")

    async def clear(self, line: Line, session: bytes) -> None:
        """Remove all records."""
        ident = await self._ident(line, session)
        async with _transaction(line.driver, ident) as turn:
            await postgres_rows.clear(line.driver, ident, turn)
            await postgres_rows.commit(line.driver, ident, None)

    async def acquire(self, line: Line, session: bytes, holder: str, ttl: float) -> int:
        """Take the lease."""
        return await postgres_rows.acquire(line.driver, session, holder, ttl)

    async def holder(self, line: Line, session: bytes) -> tuple[str, int] | None:
        """Read who holds the lease."""
        return await postgres_rows.holder(line.driver, session)

    async def renew(self, line: Line, session: bytes, epoch: int, ttl: float) -> None:
        """Prolong the lease."""
        await postgres_rows.renew(line.driver, session, epoch, ttl)

    async def release(self, line: Line, session: bytes, epoch: int) -> None:
        """End the lease."""
        await postgres_rows.release(line.driver, session, epoch)

    async def sessions(self, line: Line) -> list[bytes]:
        """Name the sessions that hold records."""
        return await postgres_rows.sessions(line.driver)

    async def _ident(self, line: Line, session: bytes) -> int:
        found = self._idents.get(session)
        if found is None:
            found = self._idents[session] = await postgres_rows.make_session(line.driver, session)
        return found


@asynccontextmanager
async def _transaction(db: Any, ident: int) -> AsyncIterator[str]:
    """Lock the session and name the turn; whatever is not committed in the block is rolled back.

    After a cancel nothing more is said: the connection is cut, which says it all.
    """
    try:
        yield await postgres_rows.lock(db, ident)
    except Exception:
        if not db.is_closed() and db.is_in_transaction():
            await db.execute("ROLLBACK")
        raise
    if db.is_in_transaction():
        await db.execute("ROLLBACK")


def _told(state: str) -> WaError:
    for code in (state, state[:2]):
        if code in _CONFIG:
            return EngineConfigError(*_CONFIG[code])
        if code in _UNAVAILABLE:
            return EngineUnavailableError(_UNAVAILABLE[code])
    if state in ("XX001", "XX002"):
        return StorageError("PostgreSQL finds its own files damaged")
    return StorageError(f"PostgreSQL refused (SQLSTATE {state})")


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))
