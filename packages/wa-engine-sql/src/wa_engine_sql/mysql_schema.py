"""The tables in MariaDB and MySQL, how they come into being, and what the server promises [N3, D2].

Keys are VARBINARY, compared byte by byte whatever the collation. A record is stored in the order
in which it came, so that a message is appended; the indexes of pages and of keys hold no values.
"""

from __future__ import annotations

import re
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
        turn BIGINT NOT NULL DEFAULT 0,
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

_SHAPES: dict[str, tuple[tuple[str, str], ...]] = {
    "wa_meta": (),
    "wa_sessions": (("name", "varbinary(256)"),),
    "wa_records": (("key", "varbinary(512)"), ("value", "longblob")),
    "wa_deep": (("key", "varbinary(512)"),),
}
_SHOWN = tuple(f"SHOW CREATE TABLE {name}" for name in _SHAPES)
"""Not information_schema.columns: MariaDB writes what that says to a temporary file first."""
_SETTINGS = (
    *("innodb_flush_log_at_trx_commit", "innodb_doublewrite", "innodb_flush_method"),
    *("log_bin", "sync_binlog", "binlog_format", "max_allowed_packet"),
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
    own = f"SELECT version FROM wa_sessions WHERE name = {literal(session)}"
    *shown, known = await ask(db, *_SHOWN, own)
    for answer in shown:
        _check_shape(*answer[0])
    return max(found, int(known[0][0]) if known else 0)


def _check_shape(table: str, made: str) -> None:
    engine = re.search(r"^\).* ENGINE=(\w+)", made, re.MULTILINE)
    if engine is None or engine[1] != "InnoDB":
        fix = f"only InnoDB keeps a batch whole: ALTER TABLE {table} ENGINE = InnoDB"
        raise EngineConfigError(f"the table {table} is of {engine and engine[1]}", fix)
    for column, wanted in _SHAPES[table]:
        kind = re.search(rf"^\s*`{column}` (\S+)", made, re.MULTILINE)
        found = kind[1] if kind else "not there"
        if found != wanted:
            setting = f"the column {table}.{column} is {found}"
            raise EngineConfigError(setting, f"it has to be {wanted}, byte by byte")


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
    values = await rows(db, f"SELECT {','.join(f'@@{name}' for name in _SETTINGS)}")
    has = {name: str(value) for name, value in zip(_SETTINGS, values[0], strict=True)}
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
    if has["log_bin"] == "1" and has["sync_binlog"] != "1":
        # After a loss of power, InnoDB takes back what the binary log does not know.
        yield "sync_binlog", "1", Durability.PROCESS
    if has["innodb_doublewrite"] in ("0", "OFF", "DETECT_ONLY"):
        yield "innodb_doublewrite", "ON", Durability.PROCESS
    if has["innodb_flush_method"].lower() == "nosync":
        yield "innodb_flush_method", "fsync", Durability.PROCESS


def _check_writable(has: dict[str, str]) -> None:
    packet = int(has["max_allowed_packet"])
    if packet < MIN_MAX_VALUE + _HEADROOM:
        setting = f"max_allowed_packet={packet}"
        raise EngineConfigError(setting, "set it to 16M: a value may have 8 MiB")
    if has["log_bin"] == "1" and has["binlog_format"] == "STATEMENT":
        raise EngineConfigError("binlog_format=STATEMENT", "set it to ROW or MIXED")
