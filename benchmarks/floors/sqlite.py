"""The floor of SQLite by aiosqlite: `BEGIN IMMEDIATE`, `executemany`, `COMMIT`, in WAL at FULL."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import aiosqlite

from benchmarks.floors.positions import Positions
from benchmarks.subject import Pair, group_of

UPSERT = """INSERT INTO {0} (k, g, at, v) VALUES (?, ?, ?, ?)
ON CONFLICT (k) DO UPDATE SET g = excluded.g, at = excluded.at, v = excluded.v"""


class SqliteFloor:
    """One table with one index in order; one statement commits by itself."""

    def __init__(self, connection: aiosqlite.Connection, folder: Path, table: str) -> None:
        self._connection = connection
        self._folder = folder
        self._table = table
        self._upsert = UPSERT.format(table)
        self._positions = Positions()

    @classmethod
    async def open(cls, folder: str, name: str) -> SqliteFloor:
        """Make the table in a file of the floor's own, beside the engine's."""
        connection = await aiosqlite.connect(f"{folder}/floor.db", isolation_level=None)
        floor = cls(connection, Path(folder), f"floor_{name}")
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            f"CREATE TABLE {floor._table} (k TEXT PRIMARY KEY, g TEXT, at INTEGER, v BLOB)",
            f"CREATE INDEX {floor._table}_at ON {floor._table} (g, at DESC, k)",
        ):
            await connection.execute(statement)
        return floor

    async def put(self, pairs: Sequence[Pair]) -> None:
        """Write one row by itself, or several in a transaction."""
        take = self._positions.take
        rows = [(key, group_of(key), take(), value) for key, value in pairs]
        if len(rows) == 1:
            await self._connection.execute(self._upsert, rows[0])
            return
        await self._connection.execute("BEGIN IMMEDIATE")
        await self._connection.executemany(self._upsert, rows)
        await self._connection.execute("COMMIT")

    async def get_many(self, keys: Sequence[str]) -> int:
        """Select by IN."""
        marks = ",".join("?" * len(keys))
        query = f"SELECT k, v FROM {self._table} WHERE k IN ({marks})"
        return len(list(await self._connection.execute_fetchall(query, keys)))

    async def delete(self, key: str) -> None:
        """Remove one row."""
        await self._connection.execute(f"DELETE FROM {self._table} WHERE k = ?", (key,))

    async def page(self, prefix: str, offset: int, limit: int) -> list[str]:
        """Read the index alone."""
        query = f"SELECT k FROM {self._table} WHERE g = ? ORDER BY at DESC, k LIMIT ? OFFSET ?"
        arguments = (group_of(prefix), limit, offset)
        return [row[0] for row in await self._connection.execute_fetchall(query, arguments)]

    async def drop(self, key: str) -> None:
        """Remove a group by one statement."""
        await self._connection.execute(f"DELETE FROM {self._table} WHERE g = ?", (group_of(key),))

    async def scan(self) -> int:
        """Read the table as it lies."""
        count = 0
        async with self._connection.execute(f"SELECT k, v, at FROM {self._table}") as cursor:
            while rows := list(await cursor.fetchmany(1000)):
                count += len(rows)
        return count

    async def settle(self) -> None:
        """Move the write-ahead log into the file, here and for the engine beside."""
        for path in self._folder.glob("*.db"):
            async with aiosqlite.connect(path) as connection:
                await connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    async def stored(self) -> int:
        """Add up the files of the folder."""
        await self.settle()
        return sum(path.stat().st_size for path in self._folder.iterdir())

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()
