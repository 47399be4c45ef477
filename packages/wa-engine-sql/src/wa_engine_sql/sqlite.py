"""The dialect of SQLite: one thread for each connection, one function for each call.

The idea: SQLite's own waiting for a lock would block the thread and could not be cancelled. So it
never waits; a call that finds the file locked is made again, until the engine's time is over.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, TypeVar
from urllib.parse import quote

from wa_core.errors import (
    EngineConfigError,
    EngineUnavailableError,
    StorageError,
    WaError,
)
from wa_core.storage import Durability
from wa_core.storage.medium import is_in_memory

from wa_engine_sql import sqlite_rows, sqlite_schema
from wa_engine_sql.change import Change
from wa_engine_sql.dialect import Line, Row, Settings
from wa_engine_sql.promise import Weakness, promised
from wa_engine_sql.relay import Leg
from wa_engine_sql.sqlite_file import check_not_cut
from wa_engine_sql.sqlite_rows import Abandoned

T = TypeVar("T")

_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_HALF_WRITTEN = frozenset({sqlite3.SQLITE_READONLY_ROLLBACK, sqlite3.SQLITE_READONLY_RECOVERY})
_HELP = {
    **dict.fromkeys(
        _HALF_WRITTEN,
        "a writer was killed in the middle of a write, and only who may write the file can take "
        "that back: check its owner",
    ),
    sqlite3.SQLITE_FULL: "the disk is full: make room",
    sqlite3.SQLITE_IOERR: "the disk reports an input/output error",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened: check path and owner",
    sqlite3.SQLITE_READONLY: "the file may not be written: check its owner",
    sqlite3.SQLITE_PERM: "the file may not be opened: check its owner",
    sqlite3.SQLITE_NOMEM: "out of memory",
    sqlite3.SQLITE_PROTOCOL: "too many processes open the file at this moment",
}
_SYNCHRONOUS = {Durability.POWER: 2, Durability.PROCESS: 1}
_JOURNALS = ("wal", "delete", "truncate", "persist")
_FIRST_WAIT_S, _LAST_WAIT_S = 0.001, 0.05


class SqliteDialect:
    """SQLite, through aiosqlite."""

    name = "SQLite"
    one_writer = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._found: dict[int, tuple[int, int]] = {}

    def meaning(self, error: BaseException) -> WaError | None:
        """Say what an error of sqlite3 means."""
        if not isinstance(error, sqlite3.Error):
            return None
        exact = getattr(error, "sqlite_errorcode", None) or 0
        code = exact & 0xFF
        if code in _LOCKED:
            return EngineUnavailableError("the file is locked by another process")
        if code in _DAMAGED:
            return StorageError("the file is damaged: restore it, or salvage it with .recover")
        help_ = _HELP.get(exact) or _HELP.get(code)
        if help_:
            return EngineUnavailableError(help_)
        name = getattr(error, "sqlite_errorname", None) or type(error).__name__
        return StorageError(f"SQLite refused ({name})")

    async def prepare(self, line: Line) -> None:
        """Set what holds for this connection alone; SQLite's own waiting among it."""
        level = _SYNCHRONOUS[self._settings.durability or Durability.POWER]

        def work(db: sqlite3.Connection, _: Abandoned) -> tuple[int, int]:
            before = _pragma(db, "busy_timeout"), _pragma(db, "synchronous")
            db.execute("PRAGMA busy_timeout = 0")
            db.execute(f"PRAGMA synchronous = {level}")
            return before

        # A database in memory has one connection, which is lent more than once.
        self._found.setdefault(id(line.driver), await self._run(line, work))

    async def restore(self, line: Line) -> None:
        """Set back what `prepare` has set."""
        before = self._found.pop(id(line.driver), None)
        if before is None:
            return
        waits, level = before

        def work(db: sqlite3.Connection, _: Abandoned) -> None:
            db.execute(f"PRAGMA busy_timeout = {waits}")
            db.execute(f"PRAGMA synchronous = {level}")

        await self._run(line, work)

    async def hang_up(self, line: Line) -> None:
        """Let the thread close the file, and wait for it."""
        self._found.pop(id(line.driver), None)
        await line.driver.stop()

    def usable(self, line: Line, error: BaseException | None) -> bool:
        """Calls end by themselves on their thread, so a connection is always good again."""
        return True

    def abort(self, line: Line) -> None:
        """Let the thread close the file when it gets there."""
        self._found.pop(id(line.driver), None)
        # From a thread without a loop: aiosqlite then reports the end to nobody. Ours may be closed
        # by then, and its thread would die of that.
        stopper = threading.Thread(target=line.driver.stop, name="wa-sql-abort")
        stopper.start()
        stopper.join()

    async def install(self, line: Line) -> None:
        """Make the tables in write-ahead mode."""
        await self._run(line, lambda db, _: sqlite_schema.install(db))

    async def version(self, line: Line, session: bytes) -> int | None:
        """Return the version of the tables or of the session, whichever is later."""
        return await self._run(line, lambda db, _: sqlite_schema.version(db, session))

    async def durability(self, line: Line) -> Durability:
        """Return what `synchronous` and the file system give."""
        path, mode, level = await self._run(line, lambda db, _: sqlite_schema.facts(db))
        if path:
            page = await self._run(line, lambda db, _: _pragma(db, "page_size"))
            check_not_cut(path, page)
        if path and mode not in _JOURNALS:
            raise EngineConfigError(f"journal_mode={mode}", "set it to WAL: a crash would ruin it")
        return promised(self._settings.durability, self._weaknesses(path, level))

    def _weaknesses(self, path: str, level: int) -> Iterator[Weakness]:
        if not path:
            yield Weakness("a database in memory", "give it a file", Durability.VOLATILE)
        elif is_in_memory(os.path.dirname(path)):
            where = "a file system in memory"
            yield Weakness(where, "choose a folder on a disk", Durability.PROCESS)
        asked = self._settings.durability
        if level < _SYNCHRONOUS[asked or Durability.POWER]:
            yield Weakness(f"synchronous={level}", "let us set it to FULL", Durability.PROCESS)

    async def get_many(self, line: Line, session: bytes, keys: Sequence[bytes]) -> list[Row]:
        """Read records in one moment."""
        return await self._run(line, lambda db, _: sqlite_rows.get_many(db, session, keys))

    async def page(
        self, line: Line, session: bytes, prefix: bytes, offset: int, limit: int | None
    ) -> list[bytes]:
        """Read keys in page order."""
        return await self._run(
            line, lambda db, _: sqlite_rows.page(db, session, prefix, offset, limit)
        )

    async def count(self, line: Line, session: bytes, prefix: bytes) -> int:
        """Count keys."""
        return await self._run(line, lambda db, _: sqlite_rows.count(db, session, prefix))

    async def chunk(
        self, line: Line, session: bytes, start: bytes, end: bytes, limit: int
    ) -> list[Row]:
        """Read records in the order of their keys."""
        return await self._run(
            line, lambda db, _: sqlite_rows.chunk(db, session, start, end, limit)
        )

    async def apply(
        self, line: Line, session: bytes, change: Change, epoch: int | None, leg: Leg
    ) -> None:
        """Make a change in one transaction."""
        await self._run(line, lambda db, gone: sqlite_rows.apply(db, session, change, epoch, gone))

    async def clear(self, line: Line, session: bytes) -> None:
        """Remove all records."""
        await self._run(line, lambda db, gone: sqlite_rows.clear(db, session, gone))

    async def acquire(self, line: Line, session: bytes, holder: str, ttl: float) -> int:
        """Take the lease."""
        return await self._run(
            line, lambda db, gone: sqlite_rows.acquire(db, session, holder, ttl, gone)
        )

    async def holder(self, line: Line, session: bytes) -> tuple[str, int] | None:
        """Read who holds the lease."""
        return await self._run(line, lambda db, _: sqlite_rows.holder(db, session))

    async def renew(self, line: Line, session: bytes, epoch: int, ttl: float) -> None:
        """Prolong the lease."""
        await self._run(line, lambda db, gone: sqlite_rows.renew(db, session, epoch, ttl, gone))

    async def release(self, line: Line, session: bytes, epoch: int) -> None:
        """End the lease."""
        await self._run(line, lambda db, gone: sqlite_rows.release(db, session, epoch, gone))

    async def sessions(self, line: Line) -> list[bytes]:
        """Name the sessions that hold records."""
        return await self._run(line, lambda db, _: sqlite_rows.sessions(db))

    async def _run(self, line: Line, work: Callable[[sqlite3.Connection, Abandoned], T]) -> T:
        wait = _FIRST_WAIT_S
        while True:
            try:
                return await on_thread(line.driver, mended(work))
            except sqlite3.OperationalError as exc:
                if (exc.sqlite_errorcode & 0xFF) not in _LOCKED:
                    raise
            # Another process holds the lock, and SQLite tells nobody when it lets go.
            await asyncio.sleep(wait * random.uniform(0.5, 1.5))
            wait = min(2 * wait, _LAST_WAIT_S)


def mended(work: Callable[[sqlite3.Connection, Abandoned], T]) -> Callable[..., T]:
    """Let a reader take back what a killed writer left half written, as a writer would.

    A connection that may only read refuses instead, until somebody opens the file for writing.
    """

    def job(db: sqlite3.Connection, gone: Abandoned) -> T:
        try:
            return work(db, gone)
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode not in _HALF_WRITTEN:
                raise
        path = db.execute("PRAGMA database_list").fetchone()[2]
        name = f"file:{quote(os.fsencode(path))}?mode=rw"
        with closing(sqlite3.connect(name, uri=True, timeout=0)) as writer:
            writer.execute("SELECT 1 FROM sqlite_master").fetchone()
        return work(db, gone)

    return job


def is_half_written(error: BaseException) -> bool:
    """Tell whether a reader met half a write; the next connection takes that back."""
    return getattr(error, "sqlite_errorcode", None) in _HALF_WRITTEN


async def on_thread(driver: Any, work: Callable[[sqlite3.Connection, Abandoned], T]) -> T:
    """Run a function on the thread of a connection; once cancelled, it commits nothing more."""
    abandoned = threading.Event()

    def job() -> T:
        if abandoned.is_set():
            raise sqlite_rows.AbandonedError
        return work(driver._conn, abandoned.is_set)

    try:
        # aiosqlite's way to its thread: a call of its public methods would be one statement each.
        result: T = await driver._execute(job)
    except BaseException:
        abandoned.set()
        raise
    return result


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])
