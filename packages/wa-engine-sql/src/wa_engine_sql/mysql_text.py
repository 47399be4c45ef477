"""Statements as MariaDB and MySQL read them, several in one message, and the rows that they answer.

The idea: bytes are written as hexadecimal digits. No charset, no SQL mode and no quoting rule can
then change what a statement means, and a batch is one message.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

MESSAGE = 1024 * 1024
"""About what one message carries: the server takes 16 MiB and must parse it at one go."""

NOW = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))"
"""Microseconds since 1970 when the statement began, whatever time zone and summer time say."""

STANDS_STILL_S = 5
"""How long a transaction may stand still before the server ends it: its process was stopped."""


@dataclass(frozen=True, slots=True)
class Wording:
    """Where MariaDB and MySQL differ."""

    upsert: str
    """What ends an INSERT, so that it replaces."""
    isolation: str
    """The name of the isolation level."""
    statement_time: str
    """The name of the time that a statement may take, and its unit in seconds."""
    unit_s: float
    blocks: bool
    """A message may be one block, with one answer: each answer more is a turn of the event loop."""
    idle_time: str | None
    """The name of the time that a transaction may stand still; without it the connection's own
    is set while there is one."""

    @property
    def before(self) -> tuple[str, ...]:
        """What is said before a transaction."""
        return () if self.idle_time else (f"SET wait_timeout = {STANDS_STILL_S}",)

    @property
    def after(self) -> tuple[str, ...]:
        """What is said after one."""
        return () if self.idle_time else ("SET wait_timeout = DEFAULT",)


_REPLACED = ("npos", "crc", "value")
MARIADB = Wording(
    upsert="ON DUPLICATE KEY UPDATE " + ", ".join(f"{one} = VALUES({one})" for one in _REPLACED),
    isolation="tx_isolation",
    statement_time="max_statement_time",
    unit_s=1.0,
    blocks=True,
    idle_time="idle_transaction_timeout",
)
MYSQL = Wording(
    upsert="AS new ON DUPLICATE KEY UPDATE " + ", ".join(f"{one} = new.{one}" for one in _REPLACED),
    isolation="transaction_isolation",
    statement_time="max_execution_time",
    unit_s=0.001,
    blocks=False,
    idle_time=None,
)


def wording_of(db: Any) -> Wording:
    """Tell how the server of a connection wants to be spoken to."""
    return MARIADB if "mariadb" in str(db.get_server_info()).lower() else MYSQL


Rows = Sequence[tuple[Any, ...]]


def literal(value: bytes) -> str:
    """Write bytes as a literal."""
    return f"x'{value.hex()}'"


def listed(values: Iterable[bytes]) -> str:
    """Write a list of literals."""
    return ",".join(map(literal, values))


async def ask(db: Any, *statements: str) -> list[Rows]:
    """Send statements in one message; return the rows of each, none where it gives none.

    The cursor of the driver would ask for warnings by itself, and log them: they quote values.
    """
    await db.query(";".join(statements))
    answers: list[Rows] = [db._result.rows or ()]
    while db._result.has_next:
        await db.next_result()
        answers.append(db._result.rows or ())
    return answers


async def rows(db: Any, statement: str) -> Rows:
    """Send one statement, return its rows."""
    return (await ask(db, statement))[0]
