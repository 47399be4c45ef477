"""What the engine says to PostgreSQL, statement by statement.

The idea: a batch is three messages, whatever its size. The first locks the row of the session, so
that writers take turns and a message that the network delays finds its transaction gone; the
second carries all records as arrays; the third looks at the lease and commits in one breath. Who
knows the number of the last turn, because it was his, says all that in one (`postgres_quick.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from secrets import token_hex
from typing import Any

import asyncpg
from wa_core.errors import FencedError, LeaseHeldError, StorageError, StoreVersionError
from wa_core.storage import MAX_POSITION

from wa_engine_sql.change import Change, Record
from wa_engine_sql.dialect import FORMAT, LARGE, Row
from wa_engine_sql.folders import (
    LEVELS,
    below,
    deep_hashes,
    end_of,
    folder_hash,
    level_of,
)

NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_ID = "(SELECT id FROM wa_sessions WHERE name = $1)"
_LEASE = f"SELECT holder, expires - {NOW} FROM wa_sessions WHERE name = $1"
_TRIES = 3

# A newer session divides by zero: what was locked need not be sent to be looked at.
_LOCK = (
    "BEGIN ISOLATION LEVEL READ COMMITTED; "
    "UPDATE wa_sessions SET turn = turn + 1 WHERE id = {ident} "
    f"RETURNING 1 / (version <= {FORMAT})::int, set_config('wa.turn', '{{turn}}', true)"
)
# Statements that change something name the turn, which ends with its transaction: one that comes
# twice or late finds another turn, or none, and changes nothing.
_TURN = "coalesce(current_setting('wa.turn', true), '') ="
_FENCE = (
    "SELECT 1 / count(*) FROM wa_sessions "
    f"WHERE id = {{}} AND epoch = {{}} AND expires > {NOW}; COMMIT"
)
PUT = f"""
WITH s AS (
    UPDATE wa_sessions SET turn = {{turn}}, clock = CASE WHEN $2::bigint = 0 THEN clock
        ELSE least(greatest(clock + 1, {NOW}) + $2 - 1, {MAX_POSITION}) END
    WHERE id = $1 AND {{condition}} RETURNING id, clock - $2 AS base, {{made}} AS made)
INSERT INTO wa_records (session, key, npos, crc, h1, h2, h3, h4, value)
SELECT s.id, p.key, -coalesce(p.at, s.base + p.nth), p.crc, p.h1, p.h2, p.h3, p.h4, p.value
FROM s, unnest($3::bytea[], $4::bigint[], $5::bigint[], $6::int[], $7::bigint[], $8::bigint[],
    $9::bigint[], $10::bigint[], $11::bytea[]) AS p(key, at, nth, crc, h1, h2, h3, h4, value)
WHERE s.made
ON CONFLICT (session, key) DO UPDATE
SET npos = excluded.npos, crc = excluded.crc, value = excluded.value"""
_PUT = PUT.format(turn="turn", condition=f"{_TURN} $12", made="true")
_DELETE = f"""
WITH d AS (DELETE FROM wa_deep WHERE session = $1 AND key >= $3 AND key < $4 AND {_TURN} $5),
    e AS (DELETE FROM wa_deep WHERE session = $1 AND key = $2 AND {_TURN} $5),
    r AS (DELETE FROM wa_records WHERE session = $1 AND key = $2 AND {_TURN} $5)
DELETE FROM wa_records WHERE session = $1 AND key >= $3 AND key < $4 AND {_TURN} $5"""
_LIFT = f"DELETE FROM wa_deep WHERE session = $1 AND key = ANY($2::bytea[]) AND {_TURN} $3"
_CLEAR = f"""
WITH d AS (DELETE FROM wa_deep WHERE session = $1 AND {_TURN} $2)
DELETE FROM wa_records WHERE session = $1 AND {_TURN} $2"""
_SINK = f"""
INSERT INTO wa_deep (session, hash, npos, key)
SELECT $1, p.hash, r.npos, r.key FROM unnest($2::bytea[], $3::bigint[]) AS p(key, hash)
JOIN wa_records r ON r.session = $1 AND r.key = p.key
WHERE {_TURN} $4 ON CONFLICT DO NOTHING"""
_GET_ONE = f"SELECT key, npos, crc, value FROM wa_records WHERE session = {_ID} AND key = $2"
_GET = f"""
SELECT key, npos, crc, value FROM wa_records WHERE session = {_ID} AND key = ANY($2::bytea[])"""
_COUNT = f"""
SELECT count(*) FROM wa_records WHERE session = {_ID} AND key >= $2 AND key < $3"""
_CHUNK = f"""
SELECT key, npos, crc, CASE WHEN octet_length(value) <= {LARGE} THEN value END,
    CASE WHEN octet_length(value) > {LARGE} THEN octet_length(value) END
FROM wa_records WHERE session = {_ID} AND key >= $2 AND key < $3 ORDER BY key LIMIT $4"""
_ORDER = "ORDER BY npos, key OFFSET $2 LIMIT $3"
_PAGE_ROOT = f"SELECT key FROM wa_records WHERE session = {_ID} {_ORDER}"
# Not a range of keys: the planner must not be tempted to walk that, and to sort. And not an
# equal folder, but a range of one: then only the folder's index has the order that is asked for,
# and a planner whose statistics are older than the records cannot think that another will do.
_PAGE = (
    f"SELECT key FROM {{0}} WHERE session = {_ID} AND {{1}} BETWEEN $4 AND $4 "
    f"AND substring(key FROM 1 FOR $5) = $6 ORDER BY {{1}}, npos, key OFFSET $2 LIMIT $3"
)
_PAGE_OTHER = (
    f"SELECT key FROM wa_records WHERE session = {_ID} AND key >= $4 AND key < $5 {_ORDER}"
)


async def get_many(db: Any, session: bytes, keys: Sequence[bytes]) -> list[Row]:
    """Read records in one statement, and so in one moment."""
    if len(keys) == 1:
        rows = await db.fetch(_GET_ONE, session, keys[0])
    else:
        rows = await db.fetch(_GET, session, keys)
    return [Row(*row) for row in rows]


async def page(
    db: Any, session: bytes, prefix: bytes, offset: int, limit: int | None
) -> list[bytes]:
    """Read keys in page order: a path prefix from its own index, any other by sorting."""
    level = level_of(prefix)
    if level is None:
        rows = await db.fetch(_PAGE_OTHER, session, offset, limit, prefix, end_of(prefix))
    elif level == 0:
        rows = await db.fetch(_PAGE_ROOT, session, offset, limit)
    else:
        place = ("wa_records", f"h{level}") if level <= LEVELS else ("wa_deep", "hash")
        number = folder_hash(prefix)
        query = _PAGE.format(*place)
        rows = await db.fetch(query, session, offset, limit, number, len(prefix), prefix)
    return [row[0] for row in rows]


async def count(db: Any, session: bytes, prefix: bytes) -> int:
    """Count keys on the index of keys alone."""
    return int(await db.fetchval(_COUNT, session, prefix, end_of(prefix)))


async def chunk(db: Any, session: bytes, start: bytes, end: bytes, limit: int) -> list[Row]:
    """Read records in the order of their keys, without the large values."""
    return [Row(*row) for row in await db.fetch(_CHUNK, session, start, end, limit)]


async def lock(db: Any, ident: int) -> str:
    """Begin a transaction when it is the session's turn; return the name of the turn."""
    turn = token_hex(8)
    try:
        await db.execute(_LOCK.format(ident=ident, turn=turn))
    except asyncpg.DivisionByZeroError:
        raise StoreVersionError("newer", FORMAT) from None
    return turn


async def write(db: Any, ident: int, change: Change, turn: str) -> bool:
    """Make a change in the transaction; tell whether the session was still there."""
    if change.deletes:
        rows = [(ident, key, *below(key), turn) for key in change.deletes]
        if len(rows) == 1:
            await db.execute(_DELETE, *rows[0])
        else:
            await db.executemany(_DELETE, rows)
    for some in change.chunks():
        if (await db.execute(_PUT, ident, *columns(some), turn)).endswith(" 0"):
            return False
    if change.deep:
        await db.execute(_LIFT, ident, change.deep, turn)
        pairs = [(key, number) for key in change.deep for number in deep_hashes(key)]
        await db.execute(_SINK, ident, *map(list, zip(*pairs, strict=True)), turn)
    return True


def columns(puts: Sequence[Record]) -> tuple[object, ...]:
    """Return records as the arrays that `PUT` takes, how many get a position from it in front."""
    # An array that is too short is filled up with NULL: where nobody is counted, nothing is sent.
    nth = list(accumulate(put.at is None for put in puts))
    given = nth[-1]
    hashes = [put.hashes for put in puts]
    return (
        given,
        [put.key for put in puts],
        [put.at for put in puts],
        nth if given else [],
        [put.crc for put in puts],
        *(list(column) for column in zip(*hashes, strict=True)),
        [put.value for put in puts],
    )


async def commit(db: Any, ident: int, epoch: int | None) -> None:
    """Commit; with an epoch, only while its lease is current when the server reads this [L3]."""
    if epoch is None:
        await db.execute("COMMIT")
        return
    try:
        await db.execute(_FENCE.format(ident, epoch))
    except asyncpg.DivisionByZeroError:
        raise FencedError(epoch) from None


async def clear(db: Any, ident: int, turn: str) -> None:
    """Remove all records, in the transaction; clock and epoch stay."""
    await db.execute(_CLEAR, ident, turn)


async def make_session(db: Any, session: bytes) -> int:
    """Return the id of a session, which may be new."""
    await db.execute(
        f"INSERT INTO wa_sessions (name, version) VALUES ($1, {FORMAT}) ON CONFLICT DO NOTHING",
        session,
    )
    return int(await db.fetchval("SELECT id FROM wa_sessions WHERE name = $1", session))


async def acquire(db: Any, session: bytes, holder: str, ttl: float) -> int:
    """Take the lease and return its epoch."""
    for _ in range(_TRIES):
        epoch = await db.fetchval(
            f"UPDATE wa_sessions SET epoch = epoch + 1, holder = $2, expires = {NOW} + $3 "
            f"WHERE name = $1 AND expires <= {NOW} RETURNING epoch",
            session,
            holder,
            round(ttl * 1e6),
        )
        if epoch is not None:
            return int(epoch)
        held = await db.fetchrow(_LEASE, session)
        if held is None:
            await make_session(db, session)
        elif held[1] > 0:
            raise LeaseHeldError(held[0], held[1] / 1e6)
    raise StorageError("the lease changes hands too fast")


async def holder(db: Any, session: bytes) -> tuple[str, int] | None:
    """Return who holds the lease, and the microseconds that are left of it."""
    held = await db.fetchrow(_LEASE, session)
    return (held[0], held[1]) if held is not None and held[1] > 0 else None


async def renew(db: Any, session: bytes, epoch: int, ttl: float) -> None:
    """Prolong the lease, or raise `FencedError`."""
    found = await db.fetchval(
        f"UPDATE wa_sessions SET expires = {NOW} + $3 "
        f"WHERE name = $1 AND epoch = $2 AND expires > {NOW} RETURNING 1",
        session,
        epoch,
        round(ttl * 1e6),
    )
    if found is None:
        raise FencedError(epoch)


async def release(db: Any, session: bytes, epoch: int) -> None:
    """End the lease if it is the last one given."""
    await db.execute(
        "UPDATE wa_sessions SET expires = 0 WHERE name = $1 AND epoch = $2", session, epoch
    )


async def sessions(db: Any) -> list[bytes]:
    """Name the sessions that hold records."""
    rows = await db.fetch(
        "SELECT name FROM wa_sessions s "
        "WHERE EXISTS (SELECT 1 FROM wa_records r WHERE r.session = s.id)"
    )
    return [row[0] for row in rows]
