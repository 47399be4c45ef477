"""Tables as other tools have made them, with rows as they write them."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from wa_core.errors import (
    CorruptRecordError,
    EngineConfigError,
    InvalidUrlError,
    StorageError,
    UnsupportedError,
)
from wa_core.storage import Batch, Durability, Engine, list_sessions, open_engine
from wa_core.storage.layouts import CREDS, key_of
from wa_engine_sql.layouts.engine import LayoutEngine

pytestmark = pytest.mark.once

GUIDE = """
CREATE TABLE auth_creds (
    user_id VARCHAR(255) PRIMARY KEY, creds_data JSONB NOT NULL,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE signal_keys (
    user_id VARCHAR(255) NOT NULL, key_type VARCHAR(50) NOT NULL, key_id VARCHAR(255) NOT NULL,
    key_data JSONB NOT NULL,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (user_id, key_type, key_id));
"""
"""The tables of a deployment guide for Baileys, which parse their JSON."""

CLINIC = """
CREATE TABLE mentorados (id serial PRIMARY KEY);
INSERT INTO mentorados VALUES (7), (8);
CREATE TABLE baileys_sessions (
    id serial PRIMARY KEY,
    mentorado_id integer NOT NULL REFERENCES mentorados (id) ON DELETE CASCADE,
    key varchar(255) NOT NULL, value text NOT NULL,
    created_at timestamp DEFAULT now() NOT NULL, updated_at timestamp DEFAULT now() NOT NULL);
CREATE UNIQUE INDEX baileys_sessions_key_idx ON baileys_sessions (mentorado_id, key);
"""
"""The table of a dashboard that keeps a session for each of its people."""

STORAGE = """
CREATE TABLE storage (key TEXT PRIMARY KEY, data TEXT NOT NULL, updated_at TIMESTAMP DEFAULT NOW());
CREATE INDEX idx_storage_prefix ON storage (key text_pattern_ops);
CREATE INDEX idx_storage_updated ON storage (updated_at DESC);
"""
"""The table of the three-method library's example for PostgreSQL."""

PAST = datetime(2020, 1, 1, tzinfo=UTC)


async def run(database: str, *statements: str) -> list[Any]:
    """Do what another tool does, and return the rows of the last statement."""
    connection = await asyncpg.connect(database)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return list(await connection.fetch(statements[-1]))
    finally:
        await connection.close()


async def made(database: str, tables: str, *rows: str) -> None:
    await run(database, tables, *rows, "SELECT 1")


def local(path: Path, *statements: str) -> list[Any]:
    connection = sqlite3.connect(path)
    with connection:
        found = [connection.execute(statement).fetchall() for statement in statements]
    connection.close()
    return found[-1]


async def everything(engine: Engine) -> dict[str, bytes]:
    return {entry.key: entry.value async for entry in engine.scan()}


async def test_tables_that_parse_their_json_keep_what_it_means(database: str) -> None:
    creds = '{"registered": true, "me": {"id": "1:2@s"}, "n": 1.50, "a": "ñ\\u00f1"}'
    await made(
        database,
        GUIDE,
        f"INSERT INTO auth_creds (user_id, creds_data) VALUES ('bot', '{creds}')",
        "INSERT INTO signal_keys (user_id, key_type, key_id, key_data) VALUES "
        """('bot', 'lid-mapping', '1', '"2"'), ('other', 'pre-key', '1', '{}')""",
    )
    late = b'{"z":1e2,"y":1.0,"a":{"type":"Buffer","data":"AA=="},"list":[1,"2",null,true]}'

    async with await open_engine(f"baileys-sql:{database}#bot") as engine:
        assert isinstance(engine, LayoutEngine)
        assert await everything(engine) == {
            CREDS: '{"a":"ññ","n":1.5,"me":{"id":"1:2@s"},"registered":true}'.encode(),
            key_of("lid-mapping", "1"): b'"2"',
        }
        await engine.apply(Batch().put(CREDS, late).put(key_of("pre-key", "1"), late))
        kept = await engine.get(CREDS)
        assert kept is not None
        assert kept != late
        assert engine.canonical(CREDS, kept) == engine.canonical(CREDS, late)
        assert await engine.get(key_of("pre-key", "1")) == kept
        with pytest.raises(StorageError) as refused:
            await engine.set(CREDS, b'"secret\\u0000"')
        assert "secret" not in str(refused.value)
        assert refused.value.__cause__ is None

    rows = await run(database, "SELECT user_id, updated_at > created_at FROM auth_creds")
    assert [tuple(row) for row in rows] == [("bot", True)]
    assert await list_sessions(f"baileys-sql:{database}") == ["bot", "other"]


async def test_a_table_of_somebody_elses_design_is_named_in_the_url(database: str) -> None:
    await made(
        database,
        CLINIC,
        "INSERT INTO baileys_sessions (mentorado_id, key, value) VALUES "
        """(7, 'creds', '{"a" : 1}'), (7, 'app-state-sync-key-AAA/B=', '[]'), (8, 'creds', '8')""",
    )
    url = f"baileys-rows:{database}?table=baileys_sessions&owner=mentorado_id"

    async with await open_engine(f"{url}#7") as engine:
        assert await everything(engine) == {
            CREDS: b'{"a" : 1}',
            key_of("app-state-sync-key", "AAA/B="): b"[]",
        }
        await engine.apply(
            Batch().put(CREDS, b'{"a":2}').put(key_of("sender-key-memory", "g@g.us"), b"{}")
        )
        assert isinstance(engine, LayoutEngine)
        assert engine.holds(key_of("tctoken", "x" * 247))
        assert not engine.holds(key_of("tctoken", "x" * 248))

    rows = await run(database, "SELECT id, key, value FROM baileys_sessions ORDER BY id")
    assert [tuple(row) for row in rows] == [
        (1, "creds", '{"a":2}'),
        (2, "app-state-sync-key-AAA/B=", "[]"),
        (3, "creds", "8"),
        (4, "sender-key-memory-g@g.us", "{}"),
    ]
    assert await list_sessions(url) == ["7", "8"]
    with pytest.raises(InvalidUrlError, match=r"mentorado_id"):
        await open_engine(f"{url}#seven")
    async with await open_engine(f"{url}#9") as stranger:
        assert await stranger.get(CREDS) is None
        with pytest.raises(EngineConfigError, match="constraint"):
            await stranger.set(CREDS, b"{}")


async def test_the_storage_table_gives_positions_and_all_kinds_of_keys(database: str) -> None:
    chat = "chat/5491112345678@s.whatsapp.net"
    keys = ["session/creds", "session/app-state-sync-key/A/B=", f"{chat}/index", "lid/1@lid"]
    await made(
        database,
        STORAGE,
        *(
            f"INSERT INTO storage VALUES ('{key}', '\"{key}\"', timestamp '2020-01-01' + "
            f"interval '{number} microseconds')"
            for number, key in enumerate(keys)
        ),
        f"INSERT INTO storage VALUES ('{chat}/message/X/content', 'no JSON', DEFAULT)",
    )
    keys[1] = key_of("app-state-sync-key", "A/B=")
    url, past = f"arcaelas-sql:{database}", int(PAST.timestamp()) * 1_000_000

    async with await open_engine(url) as engine:
        entries = {entry.key: entry.at async for entry in engine.scan()}
        newest = entries.pop(f"{chat}/message/X/content")
        assert entries == {key: past + number for number, key in enumerate(keys)}
        assert abs(newest - datetime.now(UTC).timestamp() * 1e6) < 3600e6
        assert await engine.list(limit=None) == [f"{chat}/message/X/content", *reversed(keys)]
        assert await engine.list("chat/", 1, 1) == [f"{chat}/index"]
        await engine.set(keys[1], b"[1]", at=past + 10**6)
        await engine.set(chat, None)
        await engine.set(f"{chat}0", b"a neighbour")
        assert await engine.list(limit=None) == [f"{chat}0", keys[1], keys[3], keys[0]]
        assert {"O1", "O3"} <= engine.capabilities.claims

    rows = await run(database, "SELECT key, data, updated_at FROM storage ORDER BY updated_at")
    moved = PAST.replace(tzinfo=None) + timedelta(seconds=1)
    assert tuple(rows[2]) == ("session/app-state-sync-key/A/B=", "[1]", moved)
    assert await list_sessions(url) == ["default"]


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name a place for the storage table on each kind of database."""
    if request.param == "sqlite":
        return f"arcaelas-sql:sqlite:{tmp_path}/wa.db"
    found = {"postgres": "database", "mariadb": "schema"}[request.param]
    return f"arcaelas-sql:{request.getfixturevalue(found)}"


async def test_positions_are_kept_to_the_microsecond_and_given_in_order(storage: str) -> None:
    given = {"a": 0, "b": 1, "c": 1_606_000_000_123_456, "d": 4_000_000_000_999_999}
    batch = Batch()
    for key, at in given.items():
        batch.put(key, key, at=at)

    async with await open_engine(storage) as one, await open_engine(storage) as two:
        await one.apply(batch)
        assert {entry.key: entry.at async for entry in two.scan()} == given
        await two.apply(Batch().put("e", b"").put("f", b"").put("a", b"again"))
        await one.set("g", b"")
        await one.apply(Batch().put("y", b"", at=1).put("x", b"", at=1))

        found = {entry.key: entry.at async for entry in one.scan()}
        assert given["d"] < found["e"] < found["f"] < found["a"] < found["g"]
        assert await two.list(limit=None) == ["g", "a", "f", "e", "d", "c", "b", "x", "y"]
        assert await two.get("e") == b""


async def test_a_key_with_a_value_and_keys_below_it_is_kept(storage: str) -> None:
    keys = [
        "chat/1",
        "chat/1/index",
        "chat/1/message/%_*/raw",
        "chat/10",
        "chat/ñ",
        "Chat/1",
        "wa/x",
    ]
    async with await open_engine(storage) as engine:
        await engine.apply(Batch().extend(list(_puts(keys))))

        await engine.set("chat/1", None)
        await engine.set("wa", None)

        assert sorted(await everything(engine)) == ["Chat/1", "chat/10", "chat/ñ"]
        for key in ("session/a/b/c", "session/a/b/c/d"):
            with pytest.raises(UnsupportedError):
                await engine.set(key, b"{}")


def _puts(keys: list[str]) -> Batch:
    batch = Batch()
    for key in keys:
        batch.put(key, b"text")
    return batch


@pytest.mark.parametrize(
    "value", ["NULL", "''", "'{\"noiseKey\":'", "'nothing'", "x'ff'", "'{}{}'"]
)
async def test_a_value_that_cannot_be_read_is_never_absent(tmp_path: Path, value: str) -> None:
    path = tmp_path / "auth.db"
    local(
        path,
        "CREATE TABLE auth_creds (user_id TEXT PRIMARY KEY, creds_data TEXT)",
        f"INSERT INTO auth_creds VALUES ('default', {value})",
    )

    async with await open_engine(f"baileys-sql:sqlite:{path}") as engine:
        with pytest.raises(CorruptRecordError):
            await engine.get(CREDS)
        with pytest.raises(CorruptRecordError):
            await everything(engine)
        assert await engine.list() == [CREDS]
        await engine.set(CREDS, b"{}")
        assert await engine.get(CREDS) == b"{}"


async def test_rows_that_are_no_records_are_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "auth.db"
    url = f"baileys-rows:sqlite:{path}?table=t&owner=o&key=k&value=v#bot"
    table = "CREATE TABLE t (o TEXT, k TEXT, v TEXT)"
    local(path, table, "INSERT INTO t VALUES ('bot', 'creds', '1'), ('bot', 'creds', '2')")
    async with await open_engine(url) as engine:
        with pytest.raises(CorruptRecordError, match="twice"):
            await engine.get(CREDS)

        for name in ("'status'", "NULL", f"'pre-key-{'x' * 512}'"):
            local(path, "DELETE FROM t", f"INSERT INTO t VALUES ('bot', {name}, '{{}}')")
            for call in (engine.list, engine.count):
                with pytest.raises(CorruptRecordError):
                    await call()
        local(path, "UPDATE t SET k = 'creds', o = 'other'")
        assert await engine.count() == 0


async def test_a_table_of_another_shape_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    local(
        path,
        "CREATE TABLE storage (key TEXT, data TEXT, updated_at INTEGER)",
        "CREATE TABLE auth_creds (user_id TEXT, creds TEXT)",
        "CREATE TABLE baileys_sessions (owner TEXT, key INTEGER, value TEXT)",
    )

    for url, wanted in (
        ("arcaelas-sql", "updated_at"),
        ("baileys-sql", "creds_data"),
        ("baileys-rows", "key"),
    ):
        with pytest.raises(EngineConfigError, match=wanted):
            await open_engine(f"{url}:sqlite:{path}")


async def test_blobs_are_taken_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "auth.db"
    local(
        path,
        "CREATE TABLE baileys_sessions (owner BLOB, key BLOB, value BLOB)",
        "INSERT INTO baileys_sessions VALUES (CAST('bot' AS BLOB), CAST('creds' AS BLOB), x'7b7d')",
    )

    async with await open_engine(f"baileys-rows:sqlite:{path}#bot") as engine:
        assert await engine.get(CREDS) == b"{}"
        await engine.apply(Batch().put(CREDS, b"[]").put(key_of("pre-key", "ñ"), b"1"))
        assert await everything(engine) == {CREDS: b"[]", key_of("pre-key", "ñ"): b"1"}

    rows = local(path, "SELECT typeof(key), typeof(value), count(*) FROM baileys_sessions")
    assert rows == [("blob", "blob", 2)]


async def test_a_collation_that_takes_keys_for_one_is_noticed(schema: str, onlooker: Any) -> None:
    name = schema.rpartition("/")[2]
    await onlooker.query(
        f"CREATE TABLE {name}.baileys_sessions (owner VARCHAR(100), `key` VARCHAR(200), value JSON,"
        " PRIMARY KEY (owner, `key`)) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
    )
    upper, lower = (key_of("app-state-sync-key", ident) for ident in ("AAAB", "aaab"))
    url = f"baileys-rows:{schema}"

    async with await open_engine(f"{url}#Bot") as bot, await open_engine(f"{url}#bot") as twin:
        await bot.set(upper, b'{"a" : 1}')

        assert await bot.get_many([upper, lower]) == {upper: b'{"a" : 1}'}
        assert await twin.count() == 0
        assert await twin.get(upper) is None
        with pytest.raises(UnsupportedError, match="collation"):
            await bot.set(lower, b"{}")
        with pytest.raises(EngineConfigError, match="collation"):
            await twin.set(upper, b"{}")
        await twin.set(upper, None)
        await bot.set(lower, None)
        await twin.clear()

        assert await everything(bot) == {upper: b'{"a" : 1}'}


async def test_tables_without_transactions_are_refused_for_writing(
    schema: str, onlooker: Any
) -> None:
    name = schema.rpartition("/")[2]
    await onlooker.query(
        f"CREATE TABLE {name}.auth_creds (user_id VARCHAR(99), creds_data TEXT) ENGINE = MyISAM"
    )
    await onlooker.query(f"INSERT INTO {name}.auth_creds VALUES ('default', '{{}}')")

    with pytest.raises(EngineConfigError, match="InnoDB"):
        await open_engine(f"baileys-sql:{schema}")
    async with await open_engine(f"baileys-sql:{schema}", read_only=True) as engine:
        assert await engine.get(CREDS) == b"{}"


async def test_an_unlogged_table_weakens_the_promise(database: str) -> None:
    await made(
        database, "CREATE UNLOGGED TABLE storage (key TEXT, data TEXT, updated_at TIMESTAMP)"
    )

    async with await open_engine(f"arcaelas-sql:{database}") as engine:
        assert engine.capabilities.durability is Durability.VOLATILE
    with pytest.raises(EngineConfigError, match="UNLOGGED"):
        await open_engine(f"arcaelas-sql:{database}?durability=power")
