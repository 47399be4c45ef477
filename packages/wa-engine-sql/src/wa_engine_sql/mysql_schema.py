"""The tables in MariaDB and MySQL, how they come into being, and what the server promises [N3, D2].

Keys are VARBINARY, compared byte by byte whatever the collation. A record is stored in the order
in which it came, so that a message is appended; the indexes of pages and of keys hold no values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from asyncmy import errors
from wa_core.errors import EngineConfigError, EngineUnavailableError
from wa_core.storage import MIN_MAX_VALUE, Durability

from wa_engine_sql.dialect import FORMAT
from wa_engine_sql.mysql_text import ask, literal, rows
from wa_engine_sql.promise import Weakness, promised

_NO_SUCH_TABLE = 1146
_PATIENCE_S = 5
_HEADROOM = 64 * 1024
"""What a message holds beside the value of a record."""

_INNODB = "ENGINE = InnoDB ROW_FORMAT = DYNAMIC"
_TABLES = (
    f"""CREATE TABLE IF NOT EXISTS wa_meta (
        one TINYINT PRIMARY KEY, version INT NOT NULL) {_INNODB}""",
    f"""CREATE TABLE IF NOT EXISTS wa_sessions (
        id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
        name VARBINARY(256) NOT NULL UNIQUE,
        version INT NOT NULL,
        clock BIGINT NOT NULL DEFAULT 0,
        deep TINYINT NOT NULL DEFAULT 0,
        epoch BIGINT NOT NULL DEFAULT 0,
        holder VARBINARY(1024) NOT NULL DEFAULT '',
        expires BIGINT NOT NULL DEFAULT 0) {_INNODB}""",
    # A record without a folder of some depth has a 0 there; whoever looks compares the key.
    f"""CREATE TABLE IF NOT EXISTS wa_records (
        id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
        session INT UNSIGNED NOT NULL, npos BIGINT NOT NULL, crc INT NOT NULL,
        h1 BIGINT NOT NULL, h2 BIGINT NOT NULL, h3 BIGINT NOT NULL, h4 BIGINT NOT NULL,
        `key` VARBINARY(512) NOT NULL, value LONGBLOB NOT NULL,
        UNIQUE KEY wa_key (session, `key`),
        KEY wa_page_0 (session, npos, `key`),
        KEY wa_page_1 (session, h1, npos, `key`), KEY wa_page_2 (session, h2, npos, `key`),
        KEY wa_page_3 (session, h3, npos, `key`), KEY wa_page_4 (session, h4, npos, `key`)
        ) {_INNODB}""",
    f"""CREATE TABLE IF NOT EXISTS wa_deep (
        session INT UNSIGNED NOT NULL, hash BIGINT NOT NULL, npos BIGINT NOT NULL,
        `key` VARBINARY(512) NOT NULL,
        PRIMARY KEY (session, hash, npos, `key`), KEY wa_deep_key (session, `key`)) {_INNODB}""",
    "INSERT INTO wa_meta (one, version) VALUES (1, 1) ON DUPLICATE KEY UPDATE one = 1",
)
MIGRATIONS: tuple[tuple[str, ...], ...] = (_TABLES,)
"""What leads from each version to the next; the first from nothing to version 1. A statement ends
its transaction here, so each must bear to be made again."""

_TYPES = {
    ("wa_sessions", "name"): "varbinary(256)",
    ("wa_records", "key"): "varbinary(512)",
    ("wa_records", "value"): "longblob",
    ("wa_deep", "key"): "varbinary(512)",
}
_NAMES = "'wa_meta','wa_sessions','wa_records','wa_deep'"
_OURS = f"table_schema = DATABASE() AND table_name IN ({_NAMES})"
_ENGINES = f"SELECT table_name, engine FROM information_schema.tables WHERE {_OURS}"
_COLUMNS = f"""SELECT table_name, column_name, column_type FROM information_schema.columns
    WHERE {_OURS} AND column_name IN ('name', 'key', 'value')"""


_VARIABLES = ",".join(
    f"'{name}'"
    for name in (
        *("innodb_flush_log_at_trx_commit", "innodb_doublewrite", "innodb_flush_method"),
        *("log_bin", "sync_binlog", "binlog_format", "debug_no_sync", "max_allowed_packet"),
    )
)


async def install(db: Any) -> None:
    """Make the tables, or bring them to this version; many may try at once."""
    lock = "CONCAT('wa_sql ', MD5(DATABASE()))"
    if (await rows(db, f"SELECT GET_LOCK({lock}, {_PATIENCE_S})"))[0][0] != 1:
        raise EngineUnavailableError("another process makes the tables of this database")
    try:
        await _migrate(db)
    except errors.DatabaseError:
        await ask(db, f"DO RELEASE_LOCK({lock})")
        raise
    await ask(db, f"DO RELEASE_LOCK({lock})")


async def _migrate(db: Any) -> None:
    done = await _tables(db) or 0
    for number, statements in enumerate(MIGRATIONS[done:], done + 1):
        for statement in statements:
            await ask(db, statement)
        await ask(db, f"UPDATE wa_meta SET version = {number}")


async def version(db: Any, session: bytes) -> int | None:
    """Return the version of tables and session; None when the tables have to be made."""
    found = await _tables(db)
    if found is None or found < FORMAT:
        return None
    engines, columns, own = await ask(
        db,
        _ENGINES,
        _COLUMNS,
        f"SELECT version FROM wa_sessions WHERE name = {literal(session)}",
    )
    for table, engine in engines:
        if engine != "InnoDB":
            fix = f"only InnoDB keeps a batch whole: ALTER TABLE {table} ENGINE = InnoDB"
            raise EngineConfigError(f"the table {table} is of {engine}", fix)
    for table, column, kind in columns:
        wanted = _TYPES.get((table, column), kind)
        if kind != wanted:
            raise EngineConfigError(
                f"the column {table}.{column} is {kind}", f"it has to be {wanted}, byte by byte"
            )
    return max(found, int(own[0][0]) if own else 0)


async def _tables(db: Any) -> int | None:
    try:
        found = await rows(db, "SELECT version FROM wa_meta")
    except errors.ProgrammingError as exc:
        if exc.args[0] != _NO_SUCH_TABLE:
            raise
        return None
    # Without its row the table is one of an installation that was cut off.
    return int(found[0][0]) if found else None


async def durability(db: Any, asked: Durability | None, *, read_only: bool) -> Durability:
    """Return the level that was asked for or that the settings give, or refuse [D1, D2]."""
    has: dict[str, str] = dict(
        await rows(db, f"SHOW VARIABLES WHERE Variable_name IN ({_VARIABLES})")
    )
    if not read_only:
        _check_writable(has)
    return promised(
        asked,
        (
            Weakness(f"{name}={has[name]}", f"set it to {good}", level)
            for name, good, level in _weaker(has)
        ),
    )


def _weaker(has: dict[str, str]) -> Iterator[tuple[str, str, Durability]]:
    """Name the settings that give less than power, what they should be, and what they give."""
    flush = "innodb_flush_log_at_trx_commit"
    if has[flush] == "0":
        yield flush, "1", Durability.VOLATILE
    if has[flush] == "2":
        yield flush, "1", Durability.PROCESS
    if has.get("log_bin") == "ON" and has.get("sync_binlog") != "1":
        # After a loss of power, InnoDB takes back what the binary log does not know.
        yield "sync_binlog", "1", Durability.PROCESS
    if has.get("innodb_doublewrite", "ON") in ("0", "OFF", "DETECT_ONLY"):
        yield "innodb_doublewrite", "ON", Durability.PROCESS
    if has.get("innodb_flush_method", "").lower() == "nosync":
        yield "innodb_flush_method", "fsync", Durability.PROCESS
    if has.get("debug_no_sync", "OFF") != "OFF":
        yield "debug_no_sync", "OFF", Durability.PROCESS


def _check_writable(has: dict[str, str]) -> None:
    packet = int(has["max_allowed_packet"])
    if packet < MIN_MAX_VALUE + _HEADROOM:
        setting = f"max_allowed_packet={packet}"
        raise EngineConfigError(setting, "set it to 16M: a value may have 8 MiB")
    if has.get("log_bin") == "ON" and has.get("binlog_format") == "STATEMENT":
        raise EngineConfigError("binlog_format=STATEMENT", "set it to ROW or MIXED")
