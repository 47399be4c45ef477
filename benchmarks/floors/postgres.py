"""The floor of PostgreSQL by asyncpg: prepared once, one round trip and one commit per batch.

`executemany` is a transaction by itself and the fastest for a few rows; arrays are, for many.
"""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from benchmarks.floors.positions import Positions
from benchmarks.subject import Pair, group_of

UPSERT = """INSERT INTO {0} (k, g, at, v) {1}
ON CONFLICT (k) DO UPDATE SET g = excluded.g, at = excluded.at, v = excluded.v"""
ROW = "VALUES ($1, $2, $3, $4)"
ARRAYS = "SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[])"
A_FEW = 20
PATIENCE_S = 120


class PostgresFloor:
    """One table with one index in order; no statement needs BEGIN and COMMIT."""

    def __init__(self, pool: asyncpg.Pool, table: str) -> None:
        self._pool = pool
        self._table = table
        self._upsert_row = UPSERT.format(table, ROW)
        self._upsert_arrays = UPSERT.format(table, ARRAYS)
        self._positions = Positions()

    @classmethod
    async def open(cls, url: str, name: str) -> PostgresFloor:
        """Make the table."""
        pool = await asyncpg.create_pool(url, min_size=1, max_size=1, reset=_nothing)
        floor = cls(pool, f"floor_{name}")
        await pool.execute(
            f"""CREATE TABLE {floor._table}
            (k text COLLATE "C" PRIMARY KEY, g text COLLATE "C", at bigint, v bytea)"""
        )
        await pool.execute(f"CREATE INDEX ON {floor._table} (g, at DESC, k)")
        return floor

    async def put(self, pairs: Sequence[Pair]) -> None:
        """Send the rows one by one in one round trip, or as four arrays."""
        take = self._positions.take
        rows = [(key, group_of(key), take(), value) for key, value in pairs]
        if len(rows) == 1:
            await self._pool.execute(self._upsert_row, *rows[0])
        elif len(rows) <= A_FEW:
            await self._pool.executemany(self._upsert_row, rows)
        else:
            await self._pool.execute(self._upsert_arrays, *map(list, zip(*rows, strict=True)))

    async def get_many(self, keys: Sequence[str]) -> int:
        """Select by an array."""
        query = f"SELECT k, v FROM {self._table} WHERE k = ANY ($1::text[])"
        return len(await self._pool.fetch(query, keys))

    async def delete(self, key: str) -> None:
        """Remove one row."""
        await self._pool.execute(f"DELETE FROM {self._table} WHERE k = $1", key)

    async def page(self, prefix: str, offset: int, limit: int) -> list[str]:
        """Read the index alone."""
        query = f"SELECT k FROM {self._table} WHERE g = $1 ORDER BY at DESC, k LIMIT $2 OFFSET $3"
        return [row[0] for row in await self._pool.fetch(query, group_of(prefix), limit, offset)]

    async def drop(self, key: str) -> None:
        """Remove a group by one statement."""
        await self._pool.execute(f"DELETE FROM {self._table} WHERE g = $1", group_of(key))

    async def scan(self) -> int:
        """Read the table as it lies, by a cursor."""
        count = 0
        async with self._pool.acquire() as connection, connection.transaction():
            query = f"SELECT k, v, at FROM {self._table}"
            async for _ in connection.cursor(query, prefetch=1000):
                count += 1
        return count

    async def settle(self) -> None:
        """Vacuum and analyze, as autovacuum would."""
        await self._pool.execute("VACUUM (ANALYZE)", timeout=PATIENCE_S)

    async def stored(self) -> int:
        """Ask for the size of the database."""
        return int(await self._pool.fetchval("SELECT pg_database_size(current_database())"))

    async def close(self) -> None:
        """Close the pool."""
        await self._pool.close()


async def _nothing(connection: object) -> None:
    """Reset a connection that was never changed: one round trip less."""
