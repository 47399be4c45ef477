"""The tables in PostgreSQL, how they come into being, and what the server promises [N3, D2].

Keys are `bytea`, compared byte by byte whatever the collation. Values are kept as they are:
trying to compress what is mostly encrypted costs time and saves nothing.
"""

from __future__ import annotations

from typing import Any

from wa_core.errors import EngineConfigError
from wa_core.storage import Durability

from wa_engine_sql.dialect import FORMAT
from wa_engine_sql.promise import Weakness, promised

_INSTALLING = 0x77615F73716C
"""The advisory lock of whoever makes the tables."""

_TABLES = (
    """CREATE TABLE IF NOT EXISTS wa_meta (
        one integer PRIMARY KEY CHECK (one = 1), version integer NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS wa_sessions (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name bytea NOT NULL UNIQUE,
        version integer NOT NULL,
        clock bigint NOT NULL DEFAULT 0,
        turn bigint NOT NULL DEFAULT 0,
        epoch bigint NOT NULL DEFAULT 0,
        holder text NOT NULL DEFAULT '',
        expires bigint NOT NULL DEFAULT 0) WITH (fillfactor = 50)""",
    """CREATE TABLE IF NOT EXISTS wa_records (
        session integer NOT NULL, crc integer NOT NULL, npos bigint NOT NULL,
        h1 bigint, h2 bigint, h3 bigint, h4 bigint, key bytea NOT NULL, value bytea NOT NULL,
        CONSTRAINT wa_key PRIMARY KEY (session, key))""",
    "ALTER TABLE wa_records ALTER COLUMN value SET STORAGE EXTERNAL",
    "CREATE INDEX IF NOT EXISTS wa_page_0 ON wa_records (session, npos, key)",
    *(
        f"CREATE INDEX IF NOT EXISTS wa_page_{level} ON wa_records (session, h{level}, npos, key) "
        f"WHERE h{level} IS NOT NULL"
        for level in (1, 2, 3, 4)
    ),
    """CREATE TABLE IF NOT EXISTS wa_deep (
        session integer NOT NULL, hash bigint NOT NULL, npos bigint NOT NULL, key bytea NOT NULL,
        PRIMARY KEY (session, hash, npos, key))""",
    "CREATE INDEX IF NOT EXISTS wa_deep_key ON wa_deep (session, key)",
    "INSERT INTO wa_meta (one, version) VALUES (1, 1) ON CONFLICT DO NOTHING",
)
MIGRATIONS: tuple[tuple[str, ...], ...] = (_TABLES,)
"""What leads from each version to the next; the first from nothing to version 1. Each statement
bears to be made twice: a network may repeat it."""

_FACTS = """
SELECT current_setting('fsync') = 'on', current_setting('full_page_writes') = 'on',
    current_setting('synchronous_commit') <> 'off',
    (SELECT relpersistence::text FROM pg_class WHERE oid = 'wa_records'::regclass) = 'p'"""
_WEAKER = (
    Weakness("fsync=off", "set it to on", Durability.PROCESS),
    Weakness("full_page_writes=off", "set it to on", Durability.PROCESS),
    Weakness("synchronous_commit=off", "set it to on for this role", Durability.VOLATILE),
    Weakness("UNLOGGED wa_records", "ALTER TABLE wa_records SET LOGGED", Durability.VOLATILE),
)


async def install(db: Any) -> None:
    """Make the tables, or bring them to this version; many may try at once."""
    await db.execute(f"BEGIN; SELECT pg_advisory_xact_lock({_INSTALLING})")
    done = await _tables(db) or 0
    for number, statements in enumerate(MIGRATIONS[done:], done + 1):
        for statement in statements:
            await db.execute(statement)
        await db.execute("UPDATE wa_meta SET version = $1", number)
    await db.execute("COMMIT")


async def version(db: Any, session: bytes) -> int | None:
    """Return the version of tables and session; None when the tables have to be made."""
    found = await _tables(db)
    if found is None or found < FORMAT:
        return None
    own, exact = await db.fetchrow(
        "SELECT (SELECT version FROM wa_sessions WHERE name = $1), "
        "(SELECT count(*) FROM pg_attribute WHERE attrelid = 'wa_records'::regclass "
        "AND attname IN ('key', 'value') AND atttypid = 'bytea'::regtype) = 2",
        session,
    )
    if not exact:
        raise EngineConfigError("wa_records.key", "it is not of type bytea: this table is not ours")
    return max(found, own or 0)


async def _tables(db: Any) -> int | None:
    if await db.fetchval("SELECT to_regclass('wa_meta')") is None:
        return None
    found = await db.fetchval("SELECT version FROM wa_meta")
    if found is None:
        raise EngineConfigError("the table wa_meta is empty", "this is no database of ours")
    return int(found)


async def durability(db: Any, asked: Durability | None) -> Durability:
    """Return the level that was asked for or that the settings give, or refuse [D1, D2]."""
    facts = await db.fetchrow(_FACTS)
    return promised(asked, (weak for good, weak in zip(facts, _WEAKER, strict=True) if not good))
