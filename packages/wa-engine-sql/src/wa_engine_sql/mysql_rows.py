"""What the engine reads from MariaDB and MySQL: each call is one statement, and so one moment.

The idea: a statement names the one index that it walks. What the optimizer thinks of a table that
is young, or was just emptied, changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wa_engine_sql.dialect import LARGE, Row
from wa_engine_sql.folders import LEVELS, end_of, folder_hash, level_of
from wa_engine_sql.mysql_text import NOW, listed, literal, rows

KEYS_AT_ONCE = 500
"""Keys of one IN list: far longer ones are turned into temporary tables."""
ALL = 2**64 - 1
"""The limit that is none."""


async def get_many(db: Any, session: bytes, keys: Sequence[bytes]) -> list[Row]:
    """Read records in one statement, and so in one moment."""
    lists = [keys[at : at + KEYS_AT_ONCE] for at in range(0, len(keys), KEYS_AT_ONCE)]
    reads = [
        f"SELECT r.`key`, r.npos, r.crc, r.value FROM {_of(session, 'wa_records', 'wa_key')} "
        f"AND r.`key` IN ({listed(some)})"
        for some in lists
    ]
    return [Row(*row) for row in await rows(db, " UNION ALL ".join(reads))]


async def page(
    db: Any, session: bytes, prefix: bytes, offset: int, limit: int | None
) -> list[bytes]:
    """Read keys in page order: a path prefix from its own index, any other by sorting."""
    level = level_of(prefix)
    if level is None:
        source = _of(session, "wa_records", "wa_key") + _between(prefix, end_of(prefix))
    elif level == 0:
        source = _of(session, "wa_records", "wa_page_0")
    else:
        table, index, column = ("wa_records", f"wa_page_{level}", f"h{level}")
        if level > LEVELS:
            table, index, column = ("wa_deep", "PRIMARY", "hash")
        source = f"{_of(session, table, index)} AND r.{column} = {folder_hash(prefix)}"
        source += _between(prefix, end_of(prefix))
    cut = f"LIMIT {ALL if limit is None else limit} OFFSET {min(offset, ALL)}"
    found = await rows(db, f"SELECT r.`key` FROM {source} ORDER BY r.npos, r.`key` {cut}")
    return [key for (key,) in found]


async def count(db: Any, session: bytes, prefix: bytes) -> int:
    """Count keys on the index of keys alone."""
    source = _of(session, "wa_records", "wa_key") + _between(prefix, end_of(prefix))
    return int((await rows(db, f"SELECT COUNT(*) FROM {source}"))[0][0])


async def chunk(db: Any, session: bytes, start: bytes, end: bytes, limit: int) -> list[Row]:
    """Read records in the order of their keys, without the large values."""
    source = _of(session, "wa_records", "wa_key") + _between(start, end)
    found = await rows(
        db,
        f"SELECT r.`key`, r.npos, r.crc, IF(LENGTH(r.value) <= {LARGE}, r.value, NULL), "
        f"IF(LENGTH(r.value) > {LARGE}, LENGTH(r.value), NULL) "
        f"FROM {source} ORDER BY r.`key` LIMIT {limit}",
    )
    return [Row(*row) for row in found]


def _of(session: bytes, table: str, index: str) -> str:
    """Begin at the session's row, which is read first and once, and go on along one index."""
    return (
        f"wa_sessions s STRAIGHT_JOIN {table} r FORCE INDEX ({index}) ON r.session = s.id "
        f"WHERE s.name = {literal(session)}"
    )


def _between(start: bytes, end: bytes) -> str:
    return f" AND r.`key` >= {literal(start)} AND r.`key` < {literal(end)}"


async def holder(db: Any, session: bytes) -> tuple[str, int] | None:
    """Return who holds the lease, and the microseconds that are left of it."""
    found = await rows(
        db,
        f"SELECT holder, expires - {NOW} FROM wa_sessions "
        f"WHERE name = {literal(session)} AND expires > {NOW}",
    )
    return (found[0][0].decode(), found[0][1]) if found else None


async def sessions(db: Any) -> list[bytes]:
    """Name the sessions that hold records."""
    found = await rows(
        db,
        "SELECT s.name FROM wa_sessions s WHERE (SELECT 1 FROM wa_records r "
        "FORCE INDEX (wa_key) WHERE r.session = s.id LIMIT 1) = 1",
    )
    return [name for (name,) in found]
