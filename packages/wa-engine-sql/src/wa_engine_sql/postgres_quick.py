"""A batch in PostgreSQL as one statement, for a writer that has the session to itself.

The idea is that of `pace.py`. A statement that did not find its turn, or its lease, changes
nothing; then the three messages of `postgres_rows` decide. A large batch is sent while the one
before it is under way: the server keeps it waiting for the row of the session, and then it finds
the turn that the one before has left there, or changes nothing. A delete could not be sent like
that: it would not see what the one before has put.
"""

from __future__ import annotations

from random import getrandbits
from typing import Any

from wa_engine_sql.change import Change, Record
from wa_engine_sql.dialect import FORMAT
from wa_engine_sql.folders import below
from wa_engine_sql.pace import Pace
from wa_engine_sql.postgres_rows import NOW, PUT, columns
from wa_engine_sql.relay import Leg

MANY = 100
"""Records from which it is worth a second connection to have the next batch wait in the server."""


def _mine(turn: str, epoch: str) -> str:
    return (
        f"turn = {turn} AND version <= {FORMAT} "
        f"AND ({epoch}::bigint IS NULL OR (epoch = {epoch} AND expires > {NOW}))"
    )


# Not a condition: that would be looked at before the row of the session is waited for, and not
# again when the batch ahead has left another turn there.
_PUT = PUT.format(
    turn=f"CASE WHEN {_mine('$12', '$13')} THEN $14 ELSE turn END",
    condition="true",
    made="turn = $14",
)
_DELETE = f"""
WITH s AS (
    UPDATE wa_sessions SET turn = turn + 1 WHERE id = $1 AND {_mine("$5", "$6")} RETURNING id),
    d AS (DELETE FROM wa_deep WHERE session = (SELECT id FROM s) AND key >= $3 AND key < $4),
    e AS (DELETE FROM wa_deep WHERE session = (SELECT id FROM s) AND key = $2),
    r AS (DELETE FROM wa_records WHERE session = (SELECT id FROM s) AND key = $2),
    t AS (DELETE FROM wa_records WHERE session = (SELECT id FROM s) AND key >= $3 AND key < $4)
SELECT count(*) FROM s"""


async def write(
    db: Any, pace: Pace[int], ident: int, change: Change, epoch: int | None, leg: Leg
) -> bool:
    """Make and commit a change that fits one statement; tell whether it was made."""
    puts = _puts(change)
    follows = bool(puts) and leg.follows(pace.known)
    if not follows:
        await leg.alone()
    known = pace.take()
    if known is None:
        return False
    if puts:
        made = await _put(db, pace, ident, puts, known, epoch, leg)
        if not made and follows and (mark := await leg.alone()) is not None:
            # On a connection of its own, it came before the one ahead.
            made = await _put(db, pace, ident, puts, mark, epoch, leg)
    elif len(change.deletes) == 1 and not change.puts:
        key = change.deletes[0]
        made = bool(await db.fetchval(_DELETE, ident, key, *below(key), known, epoch))
        if made:
            pace.went(known + 1)
    else:
        return False
    if not made:
        pace.met_another()
    return made


async def learn(db: Any, pace: Pace[int], ident: int) -> None:
    """Remember the turn of the transaction that is about to be committed."""
    if pace.is_alone():
        pace.went(await db.fetchval("SELECT turn FROM wa_sessions WHERE id = $1", ident))


def _puts(change: Change) -> list[Record]:
    """Return the records of a change that is nothing but the records of one statement."""
    if change.deletes or change.deep:
        return []
    some = list(change.chunks())
    return some[0] if len(some) == 1 else []


async def _put(
    db: Any,
    pace: Pace[int],
    ident: int,
    puts: list[Record],
    known: int,
    epoch: int | None,
    leg: Leg,
) -> bool:
    # At random, so that nobody else can have left it: who names it comes after this write.
    following = getrandbits(62)
    pace.went(following)
    made = False
    try:
        if len(puts) >= MANY:
            leg.pass_on(following)
        told = await db.execute(_PUT, ident, *columns(puts), known, epoch, following)
        made = not told.endswith(" 0")
    finally:
        if not made and pace.known == following:
            pace.take()
    return made
