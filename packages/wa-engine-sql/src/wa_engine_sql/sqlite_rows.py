"""What the engine does in an SQLite file, as plain functions on a connection of `sqlite3`.

The idea: a whole call is one function on the connection's thread, so it costs one hop, and nothing
that happens on the event loop can leave its transaction open [X1].
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from wa_core.errors import FencedError, LeaseHeldError, StoreVersionError
from wa_core.storage import MAX_POSITION

from wa_engine_sql.change import Change, Record
from wa_engine_sql.dialect import FORMAT, LARGE, Row
from wa_engine_sql.folders import LEVELS, below, deep_hashes, end_of, folder_hash, level_of
from wa_engine_sql.machine import boot_id, running_us

KEYS_AT_ONCE = 500
"""Parameters of one statement, well below the least limit that a build of SQLite has."""

_RECORD = (
    "INSERT INTO wa_records (session, key, npos, crc, h1, h2, h3, h4, value) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (session, key) DO UPDATE "
    "SET npos = excluded.npos, crc = excluded.crc, value = excluded.value"
)
_ID = "(SELECT id FROM wa_sessions WHERE name = ?)"
_ALL = -1
"""The limit that is none."""

Abandoned = Callable[[], bool]
"""Tells whether nobody waits for the outcome any more."""


class AbandonedError(Exception):
    """The caller is gone; the transaction was rolled back."""


@contextmanager
def transaction(db: sqlite3.Connection, begin: str, abandoned: Abandoned) -> Iterator[None]:
    """Commit when the block ends and somebody still waits for it, else roll back."""
    db.execute(begin)
    try:
        yield
        if abandoned():
            raise AbandonedError
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def get_many(db: sqlite3.Connection, session: bytes, keys: Sequence[bytes]) -> list[Row]:
    """Read records in one moment."""
    if len(keys) <= KEYS_AT_ONCE:
        return _read(db, session, keys)
    rest = iter(keys)
    with transaction(db, "BEGIN", lambda: False):
        found: list[Row] = []
        while some := list(islice(rest, KEYS_AT_ONCE)):
            found += _read(db, session, some)
        return found


def _read(db: sqlite3.Connection, session: bytes, keys: Sequence[bytes]) -> list[Row]:
    marks = ",".join("?" * len(keys))
    rows = db.execute(
        f"SELECT key, npos, crc, value FROM wa_records WHERE session = {_ID} AND key IN ({marks})",
        (session, *keys),
    )
    return [Row(*row) for row in rows]


def page(
    db: sqlite3.Connection, session: bytes, prefix: bytes, offset: int, limit: int | None
) -> list[bytes]:
    """Read keys in page order: a path prefix from its own index, any other by sorting."""
    level = level_of(prefix)
    cut = (_ALL if limit is None else limit, offset)
    values: tuple[object, ...] = ()
    table, where = "wa_records INDEXED BY wa_page_0", ""
    if level is None:
        table, where = "wa_records", "AND key >= ? AND key < ?"
        values = (prefix, end_of(prefix))
    elif level:
        column = "hash"
        table = "wa_deep"
        if level <= LEVELS:
            table, column = f"wa_records INDEXED BY wa_page_{level}", f"h{level}"
        where = f"AND {column} = ? AND key >= ? AND key < ?"
        values = (folder_hash(prefix), prefix, end_of(prefix))
    rows = db.execute(
        f"SELECT key FROM {table} WHERE session = {_ID} {where} "
        "ORDER BY npos, key LIMIT ? OFFSET ?",
        (session, *values, *cut),
    )
    return [key for (key,) in rows]


def count(db: sqlite3.Connection, session: bytes, prefix: bytes) -> int:
    """Count keys on the index of keys alone."""
    found = db.execute(
        f"SELECT count(*) FROM wa_records WHERE session = {_ID} AND key >= ? AND key < ?",
        (session, prefix, end_of(prefix)),
    ).fetchone()
    return int(found[0])


def chunk(
    db: sqlite3.Connection, session: bytes, start: bytes, end: bytes, limit: int
) -> list[Row]:
    """Read records in the order of their keys, without the large values."""
    rows = db.execute(
        "SELECT key, npos, crc, CASE WHEN length(value) <= ? THEN value END, "
        "CASE WHEN length(value) > ? THEN length(value) END FROM wa_records "
        f"WHERE session = {_ID} AND key >= ? AND key < ? ORDER BY key LIMIT ?",
        (LARGE, LARGE, session, start, end, limit),
    )
    return [Row(*row) for row in rows]


def apply(
    db: sqlite3.Connection,
    session: bytes,
    change: Change,
    epoch: int | None,
    abandoned: Abandoned,
) -> None:
    """Make a change in one transaction; the lease is looked at last, before the commit [L3]."""
    with transaction(db, "BEGIN IMMEDIATE", abandoned):
        ident, clock, deep = _session(db, session)
        for key in change.deletes:
            _delete_tree(db, ident, key, deep=deep)
        last = _write(db, ident, change.puts, clock)
        if change.deep:
            _write_deep(db, ident, change.deep)
        if last != clock or (change.deep and not deep):
            db.execute(
                "UPDATE wa_sessions SET clock = ?, deep = ? WHERE id = ?",
                (last, bool(deep or change.deep), ident),
            )
        if epoch is not None:
            _check_fence(db, ident, epoch)


def _session(db: sqlite3.Connection, session: bytes) -> tuple[int, int, bool]:
    """Return the id, the clock and whether there are deep folders; make the session if need be."""
    found = db.execute(
        "SELECT id, clock, deep, version FROM wa_sessions WHERE name = ?", (session,)
    ).fetchone()
    if found is None:
        made = db.execute(
            "INSERT INTO wa_sessions (name, version) VALUES (?, ?)", (session, FORMAT)
        )
        return int(made.lastrowid or 0), 0, False
    if found[3] > FORMAT:
        raise StoreVersionError(found[3], FORMAT)
    return int(found[0]), int(found[1]), bool(found[2])


def _delete_tree(db: sqlite3.Connection, ident: int, key: bytes, *, deep: bool) -> None:
    for table in ("wa_records", "wa_deep") if deep else ("wa_records",):
        db.execute(f"DELETE FROM {table} WHERE session = ? AND key = ?", (ident, key))
        db.execute(
            f"DELETE FROM {table} WHERE session = ? AND key >= ? AND key < ?", (ident, *below(key))
        )


def _write(db: sqlite3.Connection, ident: int, puts: Sequence[Record], clock: int) -> int:
    """Write records and return the last position that was given."""
    last, rows = clock, []
    for put in puts:
        if put.at is None:
            last = min(max(time.time_ns() // 1000, last + 1), MAX_POSITION)
        npos = -(last if put.at is None else put.at)
        rows.append((ident, put.key, npos, put.crc, *put.hashes, put.value))
    if len(rows) == 1:
        db.execute(_RECORD, rows[0])
    elif rows:
        db.executemany(_RECORD, rows)
    return last


def _write_deep(db: sqlite3.Connection, ident: int, keys: Sequence[bytes]) -> None:
    for key in keys:
        db.execute("DELETE FROM wa_deep WHERE session = ? AND key = ?", (ident, key))
        db.executemany(
            "INSERT OR IGNORE INTO wa_deep (session, hash, npos, key) "
            "SELECT session, ?, npos, key FROM wa_records WHERE session = ? AND key = ?",
            [(number, ident, key) for number in deep_hashes(key)],
        )


def clear(db: sqlite3.Connection, session: bytes, abandoned: Abandoned) -> None:
    """Remove all records; clock and epoch stay, for positions and epochs are given once."""
    with transaction(db, "BEGIN IMMEDIATE", abandoned):
        for table in ("wa_records", "wa_deep"):
            db.execute(f"DELETE FROM {table} WHERE session = {_ID}", (session,))


def acquire(
    db: sqlite3.Connection, session: bytes, holder: str, ttl: float, abandoned: Abandoned
) -> int:
    """Take the lease and return its epoch."""
    with transaction(db, "BEGIN IMMEDIATE", abandoned):
        ident, _, _ = _session(db, session)
        epoch, held_by, left = _lease(db, ident)
        if left > 0:
            raise LeaseHeldError(held_by, left / 1e6)
        db.execute(
            "UPDATE wa_sessions SET epoch = ?, holder = ?, boot = ?, expires = ? WHERE id = ?",
            (epoch + 1, holder, boot_id(), running_us() + round(ttl * 1e6), ident),
        )
        return epoch + 1


def holder(db: sqlite3.Connection, session: bytes) -> tuple[str, int] | None:
    """Return who holds the lease, and the microseconds that are left of it."""
    found = db.execute("SELECT id FROM wa_sessions WHERE name = ?", (session,)).fetchone()
    if found is None:
        return None
    _, held_by, left = _lease(db, found[0])
    return (held_by, left) if left > 0 else None


def renew(
    db: sqlite3.Connection, session: bytes, epoch: int, ttl: float, abandoned: Abandoned
) -> None:
    """Prolong the lease, or raise `FencedError`."""
    with transaction(db, "BEGIN IMMEDIATE", abandoned):
        ident, _, _ = _session(db, session)
        _check_fence(db, ident, epoch)
        db.execute(
            "UPDATE wa_sessions SET expires = ? WHERE id = ?",
            (running_us() + round(ttl * 1e6), ident),
        )


def release(db: sqlite3.Connection, session: bytes, epoch: int, abandoned: Abandoned) -> None:
    """End the lease if it is the last one given."""
    with transaction(db, "BEGIN IMMEDIATE", abandoned):
        db.execute(
            "UPDATE wa_sessions SET boot = '', expires = 0 WHERE name = ? AND epoch = ?",
            (session, epoch),
        )


def _lease(db: sqlite3.Connection, ident: int) -> tuple[int, str, int]:
    """Return the last epoch, its holder and the microseconds that are left of it."""
    epoch, holder, boot, expires = db.execute(
        "SELECT epoch, holder, boot, expires FROM wa_sessions WHERE id = ?", (ident,)
    ).fetchone()
    return epoch, holder, expires - running_us() if boot == boot_id() else 0


def _check_fence(db: sqlite3.Connection, ident: int, epoch: int) -> None:
    current, _, left = _lease(db, ident)
    if epoch != current or left <= 0:
        raise FencedError(epoch)


def sessions(db: sqlite3.Connection) -> list[bytes]:
    """Name the sessions that hold records."""
    rows = db.execute(
        "SELECT name FROM wa_sessions WHERE EXISTS "
        "(SELECT 1 FROM wa_records WHERE wa_records.session = wa_sessions.id)"
    )
    return [name for (name,) in rows]
