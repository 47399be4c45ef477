"""A batch in PostgreSQL as one statement, for a writer that has the session to itself.

The idea is that of `pace.py`. A statement that did not find its turn, or its lease, changes
nothing; then the three messages of `postgres_rows` decide.
"""

from __future__ import annotations

from typing import Any

from wa_engine_sql.change import Change
from wa_engine_sql.dialect import FORMAT
from wa_engine_sql.folders import below
from wa_engine_sql.pace import Pace
from wa_engine_sql.postgres_rows import NOW, PUT, columns


def _mine(turn: str, epoch: str) -> str:
    return (
        f"turn = {turn} AND version <= {FORMAT} "
        f"AND ({epoch}::bigint IS NULL OR (epoch = {epoch} AND expires > {NOW}))"
    )


_PUT = PUT.format(turn="turn + 1", condition=_mine("$12", "$13"))
_DELETE = f"""
WITH s AS (
    UPDATE wa_sessions SET turn = turn + 1 WHERE id = $1 AND {_mine("$5", "$6")} RETURNING id),
    d AS (DELETE FROM wa_deep WHERE session = (SELECT id FROM s) AND key >= $3 AND key < $4),
    e AS (DELETE FROM wa_deep WHERE session = (SELECT id FROM s) AND key = $2),
    r AS (DELETE FROM wa_records WHERE session = (SELECT id FROM s) AND key = $2),
    t AS (DELETE FROM wa_records WHERE session = (SELECT id FROM s) AND key >= $3 AND key < $4)
SELECT count(*) FROM s"""


async def write(db: Any, pace: Pace[int], ident: int, change: Change, epoch: int | None) -> bool:
    """Make and commit a change that fits one statement; tell whether it was made."""
    turn = pace.take()
    if turn is None:
        return False
    made = await _written(db, ident, change, turn, epoch)
    if made:
        pace.went(turn + 1)
    elif made is not None:
        pace.met_another()
    return bool(made)


async def learn(db: Any, pace: Pace[int], ident: int) -> None:
    """Remember the turn of the transaction that is about to be committed."""
    if pace.is_alone():
        pace.went(await db.fetchval("SELECT turn FROM wa_sessions WHERE id = $1", ident))


async def _written(
    db: Any, ident: int, change: Change, turn: int, epoch: int | None
) -> bool | None:
    """Tell whether the statement found its turn; None for a change that is more than one."""
    if change.deep or (change.deletes and change.puts):
        return None
    if change.puts:
        some = list(change.chunks())
        if len(some) > 1:
            return None
        told = await db.execute(_PUT, ident, *columns(some[0]), turn, epoch)
        return not told.endswith(" 0")
    if len(change.deletes) == 1:
        key = change.deletes[0]
        return bool(await db.fetchval(_DELETE, ident, key, *below(key), turn, epoch))
    return None
