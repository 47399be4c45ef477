"""What the work of a turn is given: a connection that can be taken out of its hand.

The idea: a statement of SQLite that is left alone while it runs keeps its lock until somebody
collects it. So a turn that was cut off is not torn out of its statement: it gets no other one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, CursorResult, Executable
from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")
Bound = Mapping[str, object] | Sequence[Mapping[str, object]]


class GivenUpError(Exception):
    """Nobody waits for this turn any more."""


class Hand:
    """A connection, for as long as somebody waits for what is done with it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.is_given_up = False

    def check(self) -> None:
        """Raise when nobody waits any more."""
        if self.is_given_up:
            raise GivenUpError

    async def execute(self, statement: Executable, bound: Bound | None = None) -> CursorResult[Any]:
        """Send a statement, once or for each set of values."""
        self.check()
        return await self._connection.execute(statement, bound)

    async def say(self, statement: str) -> CursorResult[Any]:
        """Send a statement as it is."""
        self.check()
        return await self._connection.exec_driver_sql(statement)

    async def run_sync(self, work: Callable[..., T], *args: object, **options: object) -> T:
        """Do what SQLAlchemy does with a plain connection."""
        self.check()

        def with_connection(connection: Connection) -> T:
            return work(connection, *args, **options)

        return await self._connection.run_sync(with_connection)
