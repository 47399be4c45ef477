"""The floor of MariaDB by asyncmy: prepared once, one statement and one commit per batch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncmy
from asyncmy.cursors import SSCursor

from benchmarks.floors.positions import Positions
from benchmarks.subject import Pair, group_of

UPSERT = """INSERT INTO {0} (k, g, at, v) VALUES (%s, %s, %s, %s)
ON DUPLICATE KEY UPDATE g = VALUES(g), at = VALUES(at), v = VALUES(v)"""


class MariadbFloor:
    """One table with one index in order; one statement is a transaction by itself."""

    def __init__(self, pool: asyncmy.Pool, table: str) -> None:
        self._pool = pool
        self._table = table
        self._upsert = UPSERT.format(table)
        self._positions = Positions()

    @classmethod
    async def open(cls, url: str, name: str) -> MariadbFloor:
        """Make the table."""
        parts = urlsplit(url)
        pool = await asyncmy.create_pool(
            host=parts.hostname,
            port=parts.port,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            db=parts.path[1:],
            autocommit=True,
            minsize=1,
            maxsize=1,
            stmt_cache_size=32,
        )
        floor = cls(pool, f"floor_{name}")
        async with floor._cursor() as cursor:
            await cursor.execute(
                f"""CREATE TABLE {floor._table} (
                k VARBINARY(512) PRIMARY KEY, g VARBINARY(512), at BIGINT, v LONGBLOB,
                INDEX (g, at, k))"""
            )
        return floor

    async def put(self, pairs: Sequence[Pair]) -> None:
        """Send all rows in one statement: the driver writes it from `executemany`."""
        take = self._positions.take
        rows = [(key, group_of(key), take(), value) for key, value in pairs]
        async with self._cursor() as cursor:
            if len(rows) == 1:
                await cursor.execute(self._upsert, rows[0])
            else:
                await cursor.executemany(self._upsert, rows)

    async def get_many(self, keys: Sequence[str]) -> int:
        """Select by IN."""
        marks = ",".join(["%s"] * len(keys))
        async with self._cursor() as cursor:
            query = f"SELECT k, v FROM {self._table} WHERE k IN ({marks})"
            await cursor.execute(query, tuple(keys))
            return len(await cursor.fetchall())

    async def delete(self, key: str) -> None:
        """Remove one row."""
        async with self._cursor() as cursor:
            await cursor.execute(f"DELETE FROM {self._table} WHERE k = %s", (key,))

    async def page(self, prefix: str, offset: int, limit: int) -> list[str]:
        """Read the index alone, backwards."""
        async with self._cursor() as cursor:
            await cursor.execute(
                f"SELECT k FROM {self._table} WHERE g = %s ORDER BY at DESC, k DESC "
                "LIMIT %s OFFSET %s",
                (group_of(prefix), limit, offset),
            )
            return [row[0].decode() for row in await cursor.fetchall()]

    async def drop(self, key: str) -> None:
        """Remove a group by one statement."""
        async with self._cursor() as cursor:
            await cursor.execute(f"DELETE FROM {self._table} WHERE g = %s", (group_of(key),))

    async def scan(self) -> int:
        """Read the table as it lies, without holding all of it."""
        count = 0
        async with self._pool.acquire() as connection, connection.cursor(SSCursor) as cursor:
            await cursor.execute(f"SELECT k, v, at FROM {self._table}")
            while rows := await cursor.fetchmany(1000):
                count += len(rows)
        return count

    async def settle(self) -> None:
        """Analyze the tables, as the server would."""
        async with self._cursor() as cursor:
            await cursor.execute("SHOW TABLES")
            for (table,) in await cursor.fetchall():
                await cursor.execute(f"ANALYZE TABLE {table}")

    async def stored(self) -> int:
        """Add up the pages of tables and indexes."""
        await self.settle()
        async with self._cursor() as cursor:
            await cursor.execute(
                "SELECT CAST(SUM(data_length + index_length) AS SIGNED) "
                "FROM information_schema.tables WHERE table_schema = DATABASE()"
            )
            return int((await cursor.fetchone())[0])

    async def close(self) -> None:
        """Close the pool."""
        self._pool.close()
        await self._pool.wait_closed()

    @asynccontextmanager
    async def _cursor(self) -> AsyncIterator[Any]:
        async with self._pool.acquire() as connection, connection.cursor() as cursor:
            yield cursor
