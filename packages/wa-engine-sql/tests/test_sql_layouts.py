"""Three layouts of other tools, on three databases: what goes in comes out, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from wa_conformance.baileys.samples import OTHERS, RECORDS, batch_of
from wa_core.errors import CorruptRecordError, InvalidUrlError, ReadOnlyError, UnsupportedError
from wa_core.storage import Batch, Engine, EngineUrl, list_sessions, open_engine
from wa_core.storage.layouts import CREDS, key_of
from wa_engine_sql.layouts.engine import LayoutEngine

pytestmark = pytest.mark.once

SCHEMES = ("baileys-sql", "baileys-rows", "arcaelas-sql")
SHARED = SCHEMES[:2]
DATABASES = ("sqlite", "postgres", "mariadb")
MOVE = "wa/move"
HOSTILE = {
    key_of(kind, ident): b'{"of":"%s"}' % kind.encode()
    for kind, ident in (
        ("pre-key", "1"),
        ("pre-key", "11"),
        ("session", "100000000000001_1.0"),
        ("session", "15550000002.0"),
        ("sender-key", "120363017952593910@g.us::100000000000001_1::1"),
        ("sender-key-memory", "1203-456@g.us"),
        ("app-state-sync-key", "AAA/B+c="),
        ("app-state-sync-key", "aaa/B+c="),
        ("app-state-sync-key", "AAA"),
        ("app-state-sync-version", "critical_unblock_low"),
        ("lid-mapping", "100000000000002_reverse"),
        ("device-list", "a%b_c*d[e]'f\"g`h;--"),
        ("tctoken", "__index"),
        ("tctoken", "ñ-n\u0303-\U0001f600@lid"),
        ("identity-key", "a\\b:c?d=e&f%2F"),
        ("newkind", "tomorrow"),
    )
}
EXACT = b'{"b" : 1.0,"a":[1e2,"\\u00f1","\xc3\xb1"],"b":{"type":"Buffer","data":"AA=="}}\n'


@pytest.fixture(params=DATABASES)
def base(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path}/auth.db"
    return str(
        request.getfixturevalue({"postgres": "database", "mariadb": "schema"}[request.param])
    )


@pytest.fixture(params=SCHEMES)
def url(request: pytest.FixtureRequest, base: str) -> str:
    """Name an empty place of each layout."""
    return f"{request.param}:{base}"


@pytest.fixture
async def engine(url: str) -> AsyncIterator[Engine]:
    """Open the place."""
    async with await open_engine(url) as found:
        yield found


async def everything(engine: Engine) -> dict[str, bytes]:
    return {entry.key: entry.value async for entry in engine.scan()}


async def test_every_kind_comes_back_with_hostile_ids(url: str, engine: Engine) -> None:
    batch = Batch().put(CREDS, EXACT).put(MOVE, b'{"stage":"leaving"}')
    for key, value in HOSTILE.items():
        batch.put(key, value)

    await engine.apply(batch)

    written = {CREDS: EXACT, MOVE: b'{"stage":"leaving"}', **HOSTILE}
    async with await open_engine(url, read_only=True) as other:
        assert await other.get_many(written) == written
        assert await everything(other) == written
        assert await other.count() == len(written)
        assert sorted(await other.list(limit=None)) == sorted(written)
        assert await other.count("session/pre-key/") == 2
        assert await other.list("session/app-state-sync-key/A", limit=None) == sorted(
            (key for key in HOSTILE if "/AAA" in key),
            key=(await other.list(limit=None)).index,
        )


async def test_the_records_that_all_layouts_are_tried_on_come_back(
    url: str, engine: Engine
) -> None:
    records = {**RECORDS, **(OTHERS if url.startswith("arcaelas") else {})}
    assert isinstance(engine, LayoutEngine)
    assert all(engine.holds(key) for key in records)
    if records.keys().isdisjoint(OTHERS):
        assert not any(engine.holds(key) for key in OTHERS)

    await engine.apply(batch_of(records))

    assert await everything(engine) == records


async def test_a_rewrite_changes_one_value_and_adds_no_row(engine: Engine) -> None:
    await engine.apply(Batch().put(CREDS, b'{"v":1}').put(key_of("pre-key", "1"), b"{}"))

    await engine.apply(Batch().put(CREDS, b'{"v":2}').put(key_of("pre-key", "2"), b"{}"))

    assert await everything(engine) == {
        CREDS: b'{"v":2}',
        key_of("pre-key", "1"): b"{}",
        key_of("pre-key", "2"): b"{}",
    }


async def test_deletes_take_what_they_name_and_what_lies_below(engine: Engine) -> None:
    keys = [*HOSTILE, CREDS, MOVE]
    for key in keys:
        await engine.set(key, b"{}")

    await engine.set(key_of("app-state-sync-key", "AAA"), None)
    await engine.set("session/pre-key", None)
    await engine.set("session/never", None)
    await engine.set(CREDS, None)

    gone = {CREDS, *(key_of(*pair) for pair in (("app-state-sync-key", "AAA"), ("pre-key", "1")))}
    gone.add(key_of("pre-key", "11"))
    assert set(await everything(engine)) == set(keys) - gone
    assert await engine.get(CREDS) is None


async def test_a_batch_in_its_order_is_one_step(engine: Engine) -> None:
    one, two = key_of("pre-key", "1"), key_of("pre-key", "2")
    await engine.set(one, b'"old"')

    await engine.apply(Batch().put(two, b'"early"').delete("session").put(one, b'"new"'))

    assert await everything(engine) == {one: b'"new"'}


async def test_what_the_layout_cannot_hold_is_refused_before_anything_is_written(
    engine: Engine,
) -> None:
    good = key_of("pre-key", "1")
    refused = [
        ("session/a/b/c", b"{}"),
        (key_of("session", "\ud800"), b"{}"),
        (CREDS, b"no json"),
        (CREDS, b"\xff"),
    ]
    for key, value in refused:
        with pytest.raises(UnsupportedError):
            await engine.apply(Batch().put(good, b"{}").put(key, value))

    assert await engine.count() == 0
    assert isinstance(engine, LayoutEngine)
    held = [key for key in (good, CREDS, MOVE, "session/a/b/c") if engine.holds(key)]
    assert held == [good, CREDS, MOVE]


@pytest.mark.parametrize(("kind", "ident"), [("sender-key", "memory-g@g.us"), ("new", "a-b")])
async def test_a_row_that_reads_as_another_record_is_not_written(
    tmp_path: Path, kind: str, ident: str
) -> None:
    async with await open_engine(f"baileys-rows:sqlite:{tmp_path}/auth.db") as engine:
        with pytest.raises(UnsupportedError):
            await engine.set(key_of(kind, ident), b"{}")
        await engine.set(key_of("sender-key-memory", "g@g.us"), b"{}")
        await engine.set(key_of(kind, ident), None)

        assert await engine.count() == 1


async def test_a_kind_that_nobody_knows_can_be_named(tmp_path: Path) -> None:
    url = f"baileys-rows:sqlite:{tmp_path}/auth.db"
    keys = [key_of("lid-cache", "a-b"), key_of("lid", "1"), key_of("lid-mapping", "c-d")]
    async with await open_engine(f"{url}?kinds=lid-cache,other") as engine:
        for key in keys:
            await engine.set(key, b"{}")
        assert set(await everything(engine)) == set(keys)

    async with await open_engine(url) as engine:
        with pytest.raises(CorruptRecordError, match="kinds="):
            await everything(engine)


@pytest.mark.parametrize("scheme", SHARED)
async def test_two_sessions_of_one_table_never_see_each_other(scheme: str, base: str) -> None:
    names = ["bot", "Bot", "bot%", "b_t", "böt", "o'b", "bot "]
    if base.startswith("mariadb"):
        names.remove("bot ")  # its keys end before their spaces
    async with AsyncExitStack() as stack:
        engines = {
            name: await stack.enter_async_context(
                await open_engine(EngineUrl.parse(f"{scheme}:{base}").with_session(name))
            )
            for name in names
        }
        for name, engine in engines.items():
            await engine.apply(Batch().put(CREDS, f'"{name}"').put(key_of("pre-key", "1"), b"{}"))

        for name, engine in engines.items():
            assert await engine.get(CREDS) == f'"{name}"'.encode()
            assert await engine.count() == 2
        assert await list_sessions(f"{scheme}:{base}") == sorted(names)

        await engines["Bot"].clear()

        left = {name: await engine.count() for name, engine in engines.items()}
        assert left == {name: 0 if name == "Bot" else 2 for name in names}
        assert await list_sessions(f"{scheme}:{base}") == sorted(set(names) - {"Bot"})


async def test_looking_makes_no_table(url: str, engine: Engine) -> None:
    assert await engine.get(CREDS) is None
    assert await engine.list() == []
    assert await everything(engine) == {}
    await engine.set(CREDS, None)
    await engine.clear()

    assert await list_sessions(url) == []
    with pytest.raises(Exception, match="nothing to read"):
        await open_engine(url, read_only=True)


async def test_tables_that_come_later_are_seen(url: str, engine: Engine) -> None:
    assert await engine.get(CREDS) is None

    async with await open_engine(url) as other:
        await other.set(CREDS, b"{}")

    assert await engine.get(CREDS) == b"{}"
    assert await list_sessions(url) == ["default"]


async def test_a_reader_writes_nothing(url: str, engine: Engine) -> None:
    await engine.set(CREDS, b"{}")

    async with await open_engine(url, read_only=True) as reader:
        with pytest.raises(ReadOnlyError):
            await reader.set(CREDS, b"[]")
        assert reader.capabilities.read_only

    assert await engine.get(CREDS) == b"{}"


async def test_a_long_session_is_scanned_in_pieces(engine: Engine) -> None:
    keys = [key_of("pre-key", str(number)) for number in range(300)]
    batch = Batch()
    for key in keys:
        batch.put(key, b"{}")

    await engine.apply(batch)

    seen = [entry.key async for entry in engine.scan("session/pre-key/")]
    assert sorted(seen) == sorted(keys)
    pages = [await engine.list("session/", offset, 97) for offset in range(0, 400, 97)]
    assert [key for page in pages for key in page] == await engine.list(limit=None)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("baileys-sql:oracle:x", "a database follows"),
        ("baileys-rows:sqlite:x.db?table=a;b", "letters, digits"),
        ("baileys-rows:sqlite:x.db?owner=key", "three columns"),
        ("arcaelas-sql:sqlite:x.db#two", "a table is one session"),
    ],
)
async def test_a_url_that_makes_no_sense_says_why(url: str, reason: str) -> None:
    with pytest.raises(InvalidUrlError, match=reason):
        await open_engine(url)


async def test_a_parameter_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidUrlError, match="unknown parameter 'tabel'"):
        await open_engine(f"baileys-rows:sqlite:{tmp_path}/x.db?tabel=a")
