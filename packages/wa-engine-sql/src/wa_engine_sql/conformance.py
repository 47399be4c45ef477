"""Hooks for the conformance suite: damage, silence and a look past the engine.

The suite finds them by the entry point group `wa.conformance`.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from wa_core.storage import Durability, Engine, EngineUrl

from wa_engine_sql.dialect import FORMAT, Settings
from wa_engine_sql.engine import SqlEngine
from wa_engine_sql.urls import engine_for

Weak = Sequence[tuple[dict[str, object], Durability]]
_TABLES = ("wa_records", "wa_deep")
_OWN = "session = (SELECT id FROM wa_sessions WHERE name = :name)"


class SqlHooks:
    """What only somebody who knows the tables can do to a session."""

    key: ClassVar[str] = "key"
    """The column, as its database lets it be written."""

    async def damage(self, engine: Engine, key: str) -> None:
        """Put other bytes in the place of a value, as a failing disk would."""
        await _change(
            engine,
            f"UPDATE wa_records SET value = :value WHERE {_OWN} AND {self.key} = :key",
            value=b"what a bad disk gives",
            key=key.encode(),
        )

    async def residue(self, engine: Engine) -> list[str]:
        """Name every row that belongs to the session."""
        assert isinstance(engine, SqlEngine)
        found = []
        async with engine.place.engine.connect() as connection:
            for table in _TABLES:
                rows = await connection.execute(
                    text(f"SELECT {self.key} FROM {table} WHERE {_OWN}"), {"name": engine.session}
                )
                found += [f"{table} {bytes(key).decode()}" for (key,) in rows]
        return found

    async def pretend_newer(self, engine: Engine) -> None:
        """Raise the version of the session; that of the tables would shut out all others."""
        await _change(
            engine,
            "UPDATE wa_sessions SET version = :version WHERE name = :name",
            version=FORMAT + 1,
        )

    async def forget(self, url: str) -> None:
        """Remove the row of a session that the suite made and has closed."""
        parsed = EngineUrl.parse(url)
        name = parsed.session or ""
        if not name.startswith("conf-"):
            return
        engine = engine_for(parsed, Settings())
        try:
            async with engine.begin() as connection:
                for table in _TABLES:
                    await connection.execute(
                        text(f"DELETE FROM {table} WHERE {_OWN}"), {"name": name.encode()}
                    )
                statement = text("DELETE FROM wa_sessions WHERE name = :name")
                await connection.execute(statement, {"name": name.encode()})
        finally:
            await engine.dispose()


class SqliteHooks(SqlHooks):
    """What can be done to a file."""

    def __init__(self) -> None:
        self._stalled: dict[int, threading.Event] = {}

    async def stall(self, engine: Engine) -> None:
        """Keep all threads of the file busy, as a disk that hangs would."""
        assert isinstance(engine, SqlEngine)
        gate = self._stalled[id(engine)] = threading.Event()
        for lines in (engine.place.readers, engine.place.writers):
            for line in await lines.fill():
                line.driver._tx.put_nowait((None, gate.wait))

    async def resume(self, engine: Engine) -> None:
        """Let the threads go on."""
        self._stalled.pop(id(engine)).set()

    def weak_places(self) -> list[tuple[str, Durability]]:
        """Name a place in memory."""
        if not os.path.isdir(MEMORY):
            return []
        return [(f"sqlite:{MEMORY}/wa-conformance.db", Durability.PROCESS)]


class ServerHooks(SqlHooks):
    """What can be done to the tables on a server."""

    lock: ClassVar[str]
    unlock: ClassVar[str]

    def __init__(self) -> None:
        self._locks: dict[int, AsyncConnection] = {}
        self._places: list[tuple[str, Durability]] = []

    def places(self, kind: Callable[..., Any], weak: Weak) -> list[tuple[str, Durability]]:
        """Start a server for each of the settings, once."""
        if not self._places:
            for settings, gives in weak:
                server = kind(settings=settings).start()
                atexit.register(server.stop)
                self._places.append((server.url, gives))
        return self._places

    async def stall(self, engine: Engine) -> None:
        """Lock all tables from a connection of its own, so that nobody gets an answer."""
        assert isinstance(engine, SqlEngine)
        connection = await engine.place.engine.connect()
        self._locks[id(engine)] = connection
        await connection.exec_driver_sql(self.lock)

    async def resume(self, engine: Engine) -> None:
        """Unlock them."""
        connection = self._locks.pop(id(engine))
        await connection.exec_driver_sql(self.unlock)
        await connection.close()


class PostgresHooks(ServerHooks):
    """What can be done to PostgreSQL."""

    lock = "LOCK TABLE wa_meta, wa_sessions, wa_records, wa_deep IN ACCESS EXCLUSIVE MODE"
    unlock = "ROLLBACK"

    def weak_places(self) -> list[tuple[str, Durability]]:
        """Start servers that are set up for less than power; they end with this process."""
        # Here, because only the suite itself calls this: an engine does not depend on it.
        from wa_conformance.servers import PostgresServer

        return self.places(PostgresServer, WEAK_POSTGRES)


class MysqlHooks(ServerHooks):
    """What can be done to MariaDB and MySQL."""

    key = "`key`"
    lock = "LOCK TABLES wa_meta WRITE, wa_sessions WRITE, wa_records WRITE, wa_deep WRITE"
    unlock = "UNLOCK TABLES"

    def weak_places(self) -> list[tuple[str, Durability]]:
        """Start servers that are set up for less than power; they end with this process."""
        from wa_conformance.servers import MariaDbServer

        return self.places(MariaDbServer, WEAK_MYSQL)


WEAK_POSTGRES: Weak = (
    ({"fsync": "off"}, Durability.PROCESS),
    ({"full_page_writes": "off"}, Durability.PROCESS),
    ({"synchronous_commit": "off"}, Durability.VOLATILE),
)
WEAK_MYSQL: Weak = (
    ({"innodb-flush-log-at-trx-commit": 2}, Durability.PROCESS),
    ({"innodb-flush-log-at-trx-commit": 0}, Durability.VOLATILE),
)
"""Settings that give less than power, and what they give."""

MEMORY = "/dev/shm"
"""Where Linux mounts a file system in memory."""


async def _change(engine: Engine, statement: str, **values: object) -> None:
    assert isinstance(engine, SqlEngine)
    async with engine.place.engine.begin() as connection:
        await connection.execute(text(statement), {"name": engine.session, **values})
