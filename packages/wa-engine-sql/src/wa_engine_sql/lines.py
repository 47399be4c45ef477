"""Connections of the driver, borrowed for one call and kept for the next.

An engine that was opened by URL makes its own; an `AsyncEngine` gives them out of its pool, and as
a checkout there costs more than a whole read, a few stay checked out between calls. A call that
was cut off cuts its connection: whatever the server was doing for it ends, and nobody reads the
answer to somebody else's question [X1].
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from wa_core.errors import WaError

from wa_engine_sql.dialect import Dialect
from wa_engine_sql.faults import told

Connect = Callable[[], Awaitable[Any]]
"""Makes a connection of the driver's for us alone, without SQLAlchemy's many first questions."""


class HeldLine:
    """A connection of the driver's, checked out of SQLAlchemy's pool if it belongs to one."""

    def __init__(self, driver: Any, connection: AsyncConnection | None = None) -> None:
        self.driver = driver
        self.connection = connection

    @property
    def is_given_up(self) -> bool:
        """Whether SQLAlchemy has let go of the connection: it does when a call is cut off."""
        found = self.connection
        return found is not None and (found.closed or found.invalidated)

    def drop(self) -> None:
        """Take the connection out of the pool for good, without a word to the server."""
        # Outside of SQLAlchemy's greenlets this is plain code that awaits nothing.
        sync = None if self.connection is None else self.connection.sync_connection
        if sync is not None and not sync.closed:
            with suppress(SQLAlchemyError, OSError):
                sync.invalidate()
            with suppress(SQLAlchemyError, OSError):
                sync.close()


class Loan:
    """One connection for one call, and what its driver says in our words [F2].

    A class, because every call comes through here: generators take three times as long.
    """

    __slots__ = ("_line", "_lines")

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._line: HeldLine

    async def __aenter__(self) -> HeldLine:
        try:
            self._line = await self._lines.lend()
        except WaError:
            raise
        except Exception as exc:
            raise self._lines.told(exc) from exc
        return self._line

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lines.end(self._line, error)
        if isinstance(error, Exception) and not isinstance(error, WaError):
            raise self._lines.told(error) from error


class Lines:
    """Up to `limit` connections of one pool."""

    def __init__(
        self, engine: AsyncEngine, dialect: Dialect, connect: Connect | None, *, limit: int
    ) -> None:
        self._engine = engine
        self._dialect = dialect
        self._connect_alone = connect
        self._places = asyncio.Semaphore(limit)
        self._limit = limit
        self._idle: list[HeldLine] = []
        self._open: set[HeldLine] = set()
        self._coming: set[asyncio.Task[HeldLine]] = set()
        self._closed = False

    def borrow(self) -> Loan:
        """Lend a connection; others wait their turn when all are lent."""
        return Loan(self)

    async def lend(self) -> HeldLine:
        """Begin a loan."""
        await self._places.acquire()
        try:
            rested = self._rested()
        except BaseException:
            self._places.release()
            raise
        return rested or await self._new()

    def end(self, line: HeldLine, error: BaseException | None) -> None:
        """End a loan, with what the call ended with."""
        self._take_back(line, error)
        self._places.release()

    def told(self, error: BaseException) -> WaError:
        """Say what an error means."""
        return told(error, self._dialect.meaning)

    async def fill(self) -> list[HeldLine]:
        """Open all the connections that there may be; for tests that occupy them."""
        while len(self._open) < self._limit:
            self._idle.append(await self._connect())
        return list(self._open)

    async def close(self) -> None:
        """Give every connection back, or cut it when that takes too long."""
        self._closed = True
        try:
            while self._idle:
                line = self._idle[-1]
                if line.connection is None:
                    await self._dialect.hang_up(line)
                    self._cut(line)
                else:
                    await self._dialect.restore(line)
                    await line.connection.close()
                    self._forget(line)
        finally:
            self.cut()

    def cut(self) -> None:
        """Cut every connection at once; one that is still coming is cut when it comes."""
        self._closed = True
        for line in list(self._open):
            self._cut(line)

    async def _new(self) -> HeldLine:
        """Connect, in a task: a driver that is cancelled while it connects makes a mess."""
        task = asyncio.ensure_future(self._connect())
        self._coming.add(task)
        task.add_done_callback(self._coming.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            # Its place stays taken until it has come: many cancels make no more than `limit`.
            task.add_done_callback(self._keep)
            raise
        except BaseException:
            self._places.release()
            raise

    def _keep(self, task: asyncio.Task[HeldLine]) -> None:
        """Put a connection by for whom comes next: who asked for it is gone."""
        self._places.release()
        if not task.cancelled() and task.exception() is None:
            if self._closed:
                self._cut(task.result())
            else:
                self._take_back(task.result(), None)

    async def _connect(self) -> HeldLine:
        line = await self._checked_out()
        try:
            await self._dialect.prepare(line)
        except BaseException:
            self._dialect.abort(line)
            line.drop()
            raise
        self._open.add(line)
        return line

    async def _checked_out(self) -> HeldLine:
        if self._connect_alone is not None:
            return HeldLine(await self._connect_alone())
        connection = await self._engine.connect()
        raw = await connection.get_raw_connection()
        return HeldLine(raw.driver_connection, connection)

    def _rested(self) -> HeldLine | None:
        while self._idle:
            line = self._idle.pop()
            if self._dialect.usable(line, None):
                return line
            self._cut(line)
        return None

    def _take_back(self, line: HeldLine, error: BaseException | None) -> None:
        if line not in self._open:
            return  # closed meanwhile
        if not line.is_given_up and self._dialect.usable(line, error):
            self._idle.append(line)
        else:
            self._cut(line)

    def _cut(self, line: HeldLine) -> None:
        self._dialect.abort(line)
        line.drop()
        self._forget(line)

    def _forget(self, line: HeldLine) -> None:
        self._open.discard(line)
        if line in self._idle:
            self._idle.remove(line)
