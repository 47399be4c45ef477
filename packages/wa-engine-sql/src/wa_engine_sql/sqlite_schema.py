"""The tables in an SQLite file, and how they come into being [N3].

Keys are BLOBs, compared byte by byte. The index of keys comes before the indexes of pages, and a
value comes last in its row: what counts and lists never reads a value.
"""

from __future__ import annotations

import sqlite3

from wa_core.errors import EngineConfigError

from wa_engine_sql.dialect import FORMAT
from wa_engine_sql.sqlite_rows import transaction

_TABLES = (
    "CREATE TABLE wa_meta (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL)",
    """CREATE TABLE wa_sessions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name BLOB NOT NULL UNIQUE,
        version INTEGER NOT NULL,
        clock INTEGER NOT NULL DEFAULT 0,
        deep INTEGER NOT NULL DEFAULT 0,
        epoch INTEGER NOT NULL DEFAULT 0,
        holder TEXT NOT NULL DEFAULT '',
        boot TEXT NOT NULL DEFAULT '',
        expires INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE wa_records (
        session INTEGER NOT NULL, key BLOB NOT NULL, npos INTEGER NOT NULL, crc INTEGER NOT NULL,
        h1 INTEGER, h2 INTEGER, h3 INTEGER, h4 INTEGER, value BLOB NOT NULL)""",
    "CREATE UNIQUE INDEX wa_key ON wa_records (session, key)",
    "CREATE INDEX wa_page_0 ON wa_records (session, npos, key)",
    *(
        f"CREATE INDEX wa_page_{level} ON wa_records (session, h{level}, npos, key) "
        f"WHERE h{level} IS NOT NULL"
        for level in (1, 2, 3, 4)
    ),
    """CREATE TABLE wa_deep (
        session INTEGER NOT NULL, hash INTEGER NOT NULL, npos INTEGER NOT NULL, key BLOB NOT NULL,
        PRIMARY KEY (session, hash, npos, key)) WITHOUT ROWID""",
    "CREATE INDEX wa_deep_key ON wa_deep (session, key)",
    "INSERT INTO wa_meta (one, version) VALUES (1, 1)",
)
MIGRATIONS: tuple[tuple[str, ...], ...] = (_TABLES,)
"""What leads from each version to the next; the first from nothing to version 1."""


def install(db: sqlite3.Connection) -> None:
    """Make the tables, or bring them to this version; many may try at once."""
    db.execute("PRAGMA journal_mode = WAL").fetchone()
    with transaction(db, "BEGIN IMMEDIATE", lambda: False):
        for number, statements in enumerate(MIGRATIONS[_tables(db) or 0 :], (_tables(db) or 0) + 1):
            for statement in statements:
                db.execute(statement)
            db.execute("UPDATE wa_meta SET version = ?", (number,))


def version(db: sqlite3.Connection, session: bytes) -> int | None:
    """Return the version of tables and session; None when the tables have to be made."""
    found = _tables(db)
    if found is None or found < FORMAT:
        return None
    own = db.execute("SELECT version FROM wa_sessions WHERE name = ?", (session,)).fetchone()
    return found if own is None else max(found, int(own[0]))


def facts(db: sqlite3.Connection) -> tuple[str, str, int]:
    """Return the path of the file, the journal mode and the level of `synchronous`."""
    path = db.execute("PRAGMA database_list").fetchone()[2]
    mode = db.execute("PRAGMA journal_mode").fetchone()[0]
    return str(path), str(mode), int(db.execute("PRAGMA synchronous").fetchone()[0])


def _tables(db: sqlite3.Connection) -> int | None:
    there = db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'wa_meta'").fetchone()
    if not there[0]:
        return None
    found = db.execute("SELECT version FROM wa_meta").fetchone()
    if found is None:
        raise EngineConfigError("the table wa_meta is empty", "this is no database of ours")
    return int(found[0])
