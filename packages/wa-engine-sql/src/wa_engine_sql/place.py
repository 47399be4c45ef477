"""A database that sessions share: its connections, and what it was found to promise.

The idea: engines on one database in one event loop share its connections, so that a thousand
sessions need no thousand connections, and SQLite sees a single writer. The last one to close
closes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy.ext.asyncio import AsyncEngine
from wa_core.errors import EngineConfigError, EngineUnavailableError, StoreVersionError
from wa_core.storage import Durability

from wa_engine_sql.dialect import FORMAT, Dialect
from wa_engine_sql.lines import Connect, Lines, Loan

T = TypeVar("T")

LINES = 8
"""Connections to a server that one place keeps at most."""
READERS = 2
"""Connections to a file that read beside the one that writes."""


class Place:
    """One database, as the engines of one event loop see it."""

    def __init__(
        self, engine: AsyncEngine, dialect: Dialect, connect: Connect | None = None
    ) -> None:
        self.engine = engine
        self.dialect = dialect
        self._own = connect is not None
        self._users = 0
        alone = dialect.one_writer
        self.readers = Lines(engine, dialect, connect, limit=READERS if alone else LINES)
        self.writers = Lines(engine, dialect, connect, limit=1) if alone else self.readers

    def reading(self) -> Loan:
        """Borrow a connection to read with."""
        return self.readers.borrow()

    def writing(self) -> Loan:
        """Borrow a connection to write with."""
        return self.writers.borrow()

    async def check(self, session: bytes, *, read_only: bool) -> Durability:
        """Make the tables if need be, and return what the database promises [D2, N3]."""
        lines = self.readers if read_only else self.writers
        async with lines.borrow() as line:
            found = await self.dialect.version(line, session)
            if found is None:
                if read_only:
                    raise EngineConfigError(
                        "nothing to read", "this database has no tables of ours: check the URL"
                    )
                await self.dialect.install(line)
                found = await self.dialect.version(line, session)
            if found is None or found > FORMAT:
                raise StoreVersionError(found or "unknown", FORMAT)
            return await self.dialect.durability(line)

    def enter(self) -> None:
        """Count one more engine."""
        self._users += 1

    def leave(self) -> bool:
        """Count one less; tell whether it was the last."""
        self._users -= 1
        return self._users == 0

    async def close(self) -> None:
        """Give the connections back; close them if they are ours."""
        try:
            # At once: when the time for closing is over, it is so for all of them.
            async with asyncio.TaskGroup() as closing:
                for lines in {self.readers, self.writers}:
                    closing.create_task(lines.close())
        finally:
            if self._own:
                await self.engine.dispose()

    def cut(self) -> None:
        """Let go of a database that does not answer, without another word to it."""
        self.readers.cut()
        self.writers.cut()


_open: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[object, Place]] = WeakKeyDictionary()


class Share:
    """One engine's part in a place."""

    def __init__(self, key: object, make: Callable[[], Place]) -> None:
        places = _open.setdefault(asyncio.get_running_loop(), {})
        self._key = key
        self.place = places.get(key) or places.setdefault(key, make())
        self.place.enter()
        self._left = False

    async def leave(self) -> None:
        """Give the part back; leaving twice is no error."""
        if self._was_last():
            await self.place.close()

    def abandon(self) -> None:
        """Give the part back at once: nobody has time to wait for the database."""
        if self._was_last():
            self.place.cut()

    def _was_last(self) -> bool:
        if self._left:
            return False
        self._left = True
        if not self.place.leave():
            return False
        del _open[asyncio.get_running_loop()][self._key]
        return True


async def in_time(call: Awaitable[T], seconds: float) -> T:
    """Await `call` for so long, as the base class does for all that comes after the opening."""
    try:
        async with asyncio.timeout(seconds):
            return await call
    except TimeoutError as exc:
        raise EngineUnavailableError(f"no answer within {seconds:g} s") from exc
