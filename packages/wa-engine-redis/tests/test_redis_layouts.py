"""Keyspaces of other libraries as engines: what they hold, what they refuse, what they keep."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from wa_conformance.baileys import samples
from wa_conformance.baileys.samples import batch_of
from wa_core.errors import (
    CorruptRecordError,
    EngineConfigError,
    EngineUnavailableError,
    InvalidUrlError,
    ReadOnlyError,
    UnsupportedError,
)
from wa_core.state import AuthState
from wa_core.storage import Batch, Durability, Engine, list_sessions, open_engine
from wa_core.storage.layouts import CREDS, dumps, key_of
from wa_engine_redis.layouts.engine import LayoutEngine

AT = 1_700_000_000_123_456
VALUE = samples.RECORDS[key_of("pre-key", "12")]
RECORDS = {**samples.RECORDS, key_of("a-new-kind", "of:its own"): dumps([1])}
OTHERS = {**samples.OTHERS, "chat/1*[x]": b"{}"}
LAYOUTS = ["baileys-", "arcaelas-2", "arcaelas-8"]


@pytest.fixture(params=LAYOUTS)
def url(request: pytest.FixtureRequest, server: Any) -> str:
    return url_of(request.param, server)


def url_of(layout: str, server: Any) -> str:
    name, _, version = layout.partition("-")
    place = f"{name}-{server.url}?prefix=layout:{secrets.token_hex(4)}[*]"
    return f"{place}{'&version=' + version if version else ''}#5491"


def start_of(url: str) -> str:
    return url.partition("prefix=")[2].partition("&")[0].partition("#")[0] + ":5491"


def held_by(engine: Engine, records: dict[str, bytes]) -> dict[str, bytes]:
    assert isinstance(engine, LayoutEngine)
    return {key: value for key, value in records.items() if engine.holds(key)}


async def contents(engine: Engine) -> dict[str, bytes]:
    return {entry.key: entry.value async for entry in engine.scan()}


async def test_records_of_every_kind_come_back_from_a_fresh_opening(url: str) -> None:
    async with await open_engine(url) as engine:
        assert held_by(engine, RECORDS) == RECORDS
        await engine.apply(batch_of(RECORDS))

    async with await open_engine(url, read_only=True) as reader:
        assert await contents(reader) == RECORDS
        assert await reader.get_many([*RECORDS, "chat/none"]) == RECORDS
        assert sorted(await reader.list(limit=None)) == sorted(RECORDS)
        assert await reader.count("session/") == len(RECORDS) - 1
        assert await reader.list("session/pre-key/") == [key_of("pre-key", "12")]
        assert await reader.list("session/sender-key") != []
        with pytest.raises(ReadOnlyError):
            await reader.set(CREDS, None)
    assert await list_sessions(url.partition("#")[0]) == ["5491"]


async def test_the_layout_of_baileys_is_a_string_and_a_hash_for_each_kind(
    server: Any, client: Any
) -> None:
    url = url_of("baileys-", server)
    async with await open_engine(url) as engine:
        await engine.apply(batch_of(RECORDS))

    start = start_of(url)
    assert await client.get(f"{start}:creds") == RECORDS[CREDS]
    assert await client.get(f"{start}:wa-move") == RECORDS["wa/move"]
    assert await client.hgetall(f"{start}:keys:pre-key") == {b"12": VALUE}
    assert await client.hkeys(f"{start}:keys:app-state-sync-key") == [b"AP/AA+8="]
    assert await client.hkeys(f"{start}:keys:sender-key") == [b"123-456@g.us::55_1::0"]


async def test_what_a_node_store_wrote_is_read(server: Any, client: Any) -> None:
    url = url_of("baileys-", server)
    start = start_of(url)
    # Written without the replacer, as some stores do: bytes as a list of numbers.
    plain = b'{"private":{"type":"Buffer","data":[1,2]}}'
    await client.set(f"{start}:creds", '{"registrationId": 1}')
    await client.hset(f"{start}:keys:pre-key", mapping={"1": plain, "2": plain})
    await client.set(f"{start}:keys:not-a-hash", "left alone")
    await client.set(f"{start}:qr", "left alone")
    await client.hset(f"{start}:keys:of:another", "x", "user")

    async with await open_engine(url) as engine:
        assert await contents(engine) == {
            CREDS: b'{"registrationId": 1}',
            key_of("pre-key", "1"): plain,
            key_of("pre-key", "2"): plain,
        }
        await engine.clear()
        assert await engine.count() == 0

    assert sorted(await client.keys(start.replace("[*]", "\\[\\*\\]") + ":*")) == [
        f"{start}:{name}".encode() for name in ("keys:not-a-hash", "keys:of:another", "qr")
    ]


@pytest.mark.parametrize("layout", LAYOUTS[1:])
async def test_arcaelas_keeps_contacts_chats_and_messages(layout: str, server: Any) -> None:
    async with await open_engine(url_of(layout, server)) as engine:
        assert held_by(engine, OTHERS) == OTHERS
        await engine.apply(batch_of({**OTHERS, **RECORDS}))

        await engine.set("chat/1*[x]", None)
        await engine.set("chat/123-456@g.us/message", None)

        left = {key for key in OTHERS if "/message/" not in key and "*" not in key}
        assert (await contents(engine)).keys() == left | RECORDS.keys()


async def test_the_three_method_keyspace_is_the_keys_as_they_are(server: Any, client: Any) -> None:
    url = url_of("arcaelas-2", server)
    start = start_of(url)
    await client.set(f"{start}:session/creds", "{}")
    await client.set(f"{start}:session/app-state-sync-key//A//A/==", '{"keyData":""}')
    await client.set(f"{start}:lid/55@lid", "5491")
    await client.set(f"{start}:more:session/creds", "of another session")
    await client.sadd(f"{start}:set", "no string")

    async with await open_engine(url.replace("&version=2", "")) as engine:
        found = await contents(engine)
        await engine.set(key_of("sender-key", "1@g.us::5::0"), VALUE)
        assert not held_by(engine, {"more:session/creds": b"x"})

    assert found == {
        CREDS: b"{}",
        key_of("app-state-sync-key", "/A//A/=="): b'{"keyData":""}',
        "lid/55@lid": b"5491",
    }
    assert await client.get(f"{start}:session/sender-key/1@g.us::5::0") == VALUE


async def test_the_indexed_keyspace_keeps_positions_and_bytes(server: Any, client: Any) -> None:
    url = url_of("arcaelas-8", server)
    start = start_of(url)
    await client.set(f"{start}:doc:session/creds", "{}")
    await client.zadd(f"{start}:idx:session", {"session/creds": 1_700_000_000_000})
    await client.set(f"{start}:doc:chat/1@g.us/message/ID/content:bin", b"\x00\xff")
    await client.set(f"{start}:doc:chat/1@g.us", "{}")
    await client.zadd(f"{start}:idx:chat", {"chat/1@g.us": 1_700_000_000_001.5})

    async with await open_engine(url.replace("&version=8", "")) as engine:
        found = {entry.key: entry.at async for entry in engine.scan()}
        await engine.set("chat/2@g.us", b"{}", at=AT)
        await engine.set("chat/3@g.us", b"{}")
        await engine.set("chat/4@g.us", b"{}")
        listed = await engine.list("chat/")
        refused = [key_of("app-state-sync-key", "AA//AAA="), key_of("app-state-sync-key", "A/A")]
        assert not held_by(engine, dict.fromkeys([*refused, "chat/x:bin"], b"{}"))
        await engine.set("chat/1@g.us", None)

    binary = "chat/1@g.us/message/ID/content/content.bin"
    assert found == {CREDS: AT - 123_456, "chat/1@g.us": 1_700_000_000_001_500, binary: 0}
    assert listed[:4] == ["chat/4@g.us", "chat/3@g.us", "chat/2@g.us", "chat/1@g.us"]
    numbers = [member[5:6] for member in await client.zrange(f"{start}:idx:chat", 0, -1)]
    assert numbers == [b"2", b"3", b"4"]
    assert await client.zscore(f"{start}:idx:chat", "chat/2@g.us") == AT / 1000
    assert not await client.exists(f"{start}:doc:chat/1@g.us/message/ID/content:bin")


async def test_no_microsecond_is_lost_in_a_score(server: Any) -> None:
    positions = [AT, AT + 1, 1, 0, 4_100_000_000_000_001, *range(AT + 10**9, AT + 10**9 + 300)]
    async with await open_engine(url_of("arcaelas-8", server)) as engine:
        batch = Batch()
        for number, at in enumerate(positions):
            batch.put(f"lid/{number}", b"x", at=at)
        await engine.apply(batch)

        found = {entry.key: entry.at async for entry in engine.scan()}

    assert [found[f"lid/{number}"] for number in range(len(positions))] == positions


async def test_an_id_that_lost_a_slash_is_refused_and_named(server: Any, client: Any) -> None:
    url = url_of("arcaelas-8", server)
    await client.set(f"{start_of(url)}:doc:session/app-state-sync-key/A/AAAA=", "{}")

    async with await open_engine(url) as engine:
        with pytest.raises(EngineConfigError, match="A/AAAA="):
            await engine.list()


async def test_what_has_no_place_is_refused_before_anything_is_written(url: str) -> None:
    async with await open_engine(url) as engine:
        for batch in (
            Batch().put(CREDS, VALUE).put("a:b/c", b"x"),
            Batch().put(CREDS, VALUE).put(key_of("pre-key", "1"), b'{"torn": '),
            Batch().put(CREDS, VALUE).put(key_of("session", "5.0"), b""),
            Batch().put(CREDS, VALUE).put("lid/1", b""),
        ):
            with pytest.raises(UnsupportedError):
                await engine.apply(batch)

        assert await engine.count() == 0
        with pytest.raises(UnsupportedError, match="leases"):
            await engine.acquire("me", 10)


async def test_baileys_has_no_place_for_contacts_and_chats(server: Any) -> None:
    async with await open_engine(url_of("baileys-", server)) as engine:
        kinds = [key_of(kind, "x") for kind in ("creds", "wa-move", "a:b", "")]
        assert not held_by(engine, {**OTHERS, **dict.fromkeys(kinds, b"{}")})
        assert await engine.get("lid/55@lid") is None


async def test_a_cascade_removes_what_lies_below_in_the_order_of_the_batch(url: str) -> None:
    async with await open_engine(url) as engine:
        await engine.apply(batch_of(RECORDS))
        await engine.apply(
            Batch()
            .put(key_of("pre-key", "13"), VALUE)
            .delete("session/pre-key")
            .put(key_of("pre-key", "14"), VALUE)
        )

        assert await engine.list("session/pre-key/") == [key_of("pre-key", "14")]
        await engine.set(key_of("sender-key", "none"), None)
        await engine.set("session", None)
        assert await engine.list() == ["wa/move"]
        await engine.clear()
        assert await engine.count() == 0


@pytest.mark.parametrize("damage", [b"", b'{"half": ', b"\xff\xfe{}"])
async def test_a_damaged_value_is_never_absent(url: str, damage: bytes, client: Any) -> None:
    async with await open_engine(url) as engine:
        await engine.set(CREDS, RECORDS[CREDS])
        assert isinstance(engine, LayoutEngine)
        cell = engine.space.cell(CREDS)
        assert cell is not None
        await client.set(cell.name, damage)

        with pytest.raises(CorruptRecordError):
            await engine.get(CREDS)
        with pytest.raises(CorruptRecordError):
            await contents(engine)
        assert await engine.list() == [CREDS]


async def test_a_key_of_another_type_is_refused_before_the_batch_begins(
    url: str, client: Any
) -> None:
    record = key_of("pre-key", "1")
    async with await open_engine(url) as engine:
        assert isinstance(engine, LayoutEngine)
        cell = engine.space.cell(record)
        assert cell is not None
        await client.rpush(cell.name, "a list")

        with pytest.raises(EngineConfigError, match="take it away"):
            await engine.apply(Batch().put(CREDS, VALUE).put(record, VALUE))

        assert await engine.get(CREDS) is None
        with pytest.raises(EngineConfigError, match="another type"):
            await engine.get(record)


async def test_credentials_of_another_type_begin_no_session(url: str, client: Any) -> None:
    async with await open_engine(url) as engine:
        assert isinstance(engine, LayoutEngine)
        cell = engine.space.cell(CREDS)
        assert cell is not None
        await client.rpush(cell.name, "a list")

        with pytest.raises(EngineConfigError, match="another type"):
            await AuthState.open(engine, create=True)

    assert await client.lrange(cell.name, 0, -1) == [b"a list"]


async def test_two_users_in_one_place_never_see_each_other(server: Any) -> None:
    place = f"baileys-{server.url}?prefix={secrets.token_hex(4)}"
    for user in ("a", "a:keys", "ab", "*"):
        async with await open_engine(f"{place}#{user}") as engine:
            await engine.apply(Batch().put(CREDS, dumps(user)).put(key_of("pre-key", "1"), VALUE))

    async with await open_engine(f"{place}#*") as engine:
        await engine.clear()
    for user in ("a", "a:keys", "ab"):
        async with await open_engine(f"{place}#{user}") as engine:
            assert await contents(engine) == {CREDS: dumps(user), key_of("pre-key", "1"): VALUE}
    assert await list_sessions(place) == ["a", "a:keys", "ab"]


async def test_the_url_says_what_is_missing(server: Any) -> None:
    for wrong, sentence in (
        (f"baileys-{server.url}", "name the user with #"),
        (f"arcaelas-{server.url}?version=3", "2 or 8"),
        (f"baileys-{server.url}?cluster=1#x", "unknown parameter"),
        (f"baileys-{server.url}?prefix=#x", "first colon"),
    ):
        with pytest.raises(InvalidUrlError, match=sentence):
            await open_engine(wrong)


async def test_a_session_of_the_other_version_is_refused(server: Any) -> None:
    url = url_of("arcaelas-2", server)
    async with await open_engine(url) as engine:
        await engine.set(CREDS, VALUE)

    with pytest.raises(EngineConfigError, match="other version"):
        await open_engine(url.replace("version=2", "version=8"))


async def test_a_session_of_ours_is_not_written_behind_its_index(server: Any) -> None:
    place = f"{server.url}?prefix={secrets.token_hex(4)}#mine"
    async with await open_engine(place) as engine:
        await engine.set(CREDS, VALUE)

    with pytest.raises(EngineConfigError, match="opened as redis:"):
        await open_engine(f"arcaelas-{place}")


async def test_claims_and_durability_are_what_the_keyspace_and_the_server_keep(url: str) -> None:
    async with await open_engine(url) as engine:
        told = engine.capabilities

    assert told.durability is Durability.POWER
    assert {"W1", "S1", "D2"} <= told.claims
    assert not {"L3", "K1", "W6", "O6"} & told.claims
    assert ("O1" in told.claims) == ("version=8" in url)


async def test_a_server_that_is_away_is_unavailable_never_absent() -> None:
    with pytest.raises(EngineUnavailableError):
        await open_engine("baileys-redis://127.0.0.1:9/0?timeout=2#user")
    with pytest.raises(EngineUnavailableError):
        await list_sessions("arcaelas-redis://127.0.0.1:9/0?timeout=2")
