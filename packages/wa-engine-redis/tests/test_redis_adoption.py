"""Y2: a keyspace that a Node engine wrote, without an index, becomes a session as it is."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest
from redis.asyncio import Redis
from wa_core.errors import CorruptRecordError, EngineConfigError, InvalidUrlError
from wa_core.storage import list_sessions, open_engine
from wa_engine_redis import RedisEngine

KEYS = ("session/creds", "session/pre-key/1", "chat/1@s.whatsapp.net/index", "contact/1/index")


async def node_wrote(client: Any, prefix: str, *more: str) -> dict[str, bytes]:
    values = {key: f"value of {key}".encode() for key in (*KEYS, *more)}
    await client.mset({f"{prefix}:{key}": value for key, value in values.items()})
    return values


def new_prefix() -> str:
    return f"adopt-{secrets.token_hex(4)}:default"


async def test_the_default_place_is_the_node_engines_own() -> None:
    client = Redis()
    engine = RedisEngine(client)

    assert engine.space.value("session/creds") == b"wa:default:session/creds"
    await client.aclose()


async def test_a_keyspace_without_an_index_is_taken_over_by_itself(client: Any) -> None:
    prefix = new_prefix()
    values = await node_wrote(client, prefix, *(f"lid/{number}" for number in range(1_200)))
    await client.set(f"{prefix}:not//a key", "left alone")
    await client.set(f"{prefix}x:session/creds", "somebody else's")
    await client.rpush(f"{prefix}:lid/list", "no string")

    engine = RedisEngine(client, prefix)

    assert sorted(await engine.list("", limit=None)) == sorted(values)
    assert await engine.get_many(values) == values
    assert await client.get(f"{prefix}:session/creds") == values["session/creds"]
    await engine.set("lid", None)
    assert await engine.count() == len(KEYS)
    await engine.clear()
    assert await client.get(f"{prefix}:not//a key") == b"left alone"
    assert await client.get(f"{prefix}x:session/creds") == b"somebody else's"
    await engine.close()


async def test_what_was_adopted_is_listed_by_url(place: str, client: Any) -> None:
    prefix = f"{place.rpartition('=')[2]}:5491"
    await node_wrote(client, prefix)

    async with await open_engine(f"{place}#5491") as engine:
        assert await engine.count() == len(KEYS)

    assert await list_sessions(place) == ["5491"]


async def test_two_that_open_at_once_adopt_once(client: Any) -> None:
    prefix = new_prefix()
    values = await node_wrote(client, prefix, *(f"lid/{number}" for number in range(1_200)))
    engines = [RedisEngine(client, prefix) for _ in range(4)]

    await asyncio.gather(*(engine.open() for engine in engines))

    for engine in engines:
        assert await engine.count() == len(values)
        await engine.close()


async def test_an_adoption_that_was_interrupted_is_taken_up(client: Any) -> None:
    prefix = new_prefix()
    values = await node_wrote(client, prefix, *(f"lid/{number}" for number in range(1_500)))
    engine = RedisEngine(client, prefix)
    opening = asyncio.ensure_future(engine.open())
    while not await client.zcard(engine.space.by_age):
        await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait((opening,))

    other = RedisEngine(client, prefix)
    await other.set("lid/0", b"written since")

    assert await other.count() == len(values)
    assert await other.get("lid/0") == b"written since"
    assert (await other.list())[0] == "lid/0"
    await other.close()


async def test_a_session_of_ours_is_not_adopted_again_unless_asked(client: Any) -> None:
    prefix = new_prefix()
    async with RedisEngine(client, prefix) as engine:
        await engine.set("session/creds", b"ours")
        await engine.set("lid/1", b"x")
    await client.set(f"{prefix}:lid/2", "written by Node since")
    await client.delete(f"{prefix}:lid/1")

    async with RedisEngine(client, prefix) as engine:
        assert await engine.list("lid/") == ["lid/1"]
        with pytest.raises(CorruptRecordError):
            await engine.get("lid/1")
    async with RedisEngine(client, prefix, adopt=True) as engine:
        assert await engine.list("lid/") == ["lid/2"]
        assert await engine.get("lid/1") is None


async def test_a_reader_does_not_adopt(client: Any) -> None:
    prefix = new_prefix()
    await node_wrote(client, prefix)
    before = sorted([name async for name in client.scan_iter(match=f"{prefix}*")])

    with pytest.raises(EngineConfigError, match="open it once for writing"):
        await RedisEngine(client, prefix, read_only=True).open()

    assert sorted([name async for name in client.scan_iter(match=f"{prefix}*")]) == before


async def test_a_prefix_of_any_shape_is_taken_literally_when_asked(
    server: Any, client: Any
) -> None:
    prefix = f"app-{secrets.token_hex(4)}:prod:wa:5491"
    values = await node_wrote(client, prefix)

    async with await open_engine(f"{server.url}?prefix={prefix}&literal=1") as engine:
        assert await engine.get_many(values) == values
        await engine.set("chat", None)
        assert await engine.count() == len(values) - 1
    for wrong in (
        f"?prefix={prefix}&literal=1#name",
        "?literal=1",
        "?literal=1&cluster=1&prefix=x",
    ):
        with pytest.raises(InvalidUrlError):
            await open_engine(f"{server.url}{wrong}")


async def test_a_literal_prefix_and_a_session_never_meet(client: Any) -> None:
    app = f"app-{secrets.token_hex(4)}"
    async with RedisEngine(client, f"{app}:one") as engine:
        await engine.set("two:session/creds", b"of the session")
    async with RedisEngine(client, f"{app}:lit:three", literal=True) as engine:
        await engine.set("session/creds", b"of the literal one")

    for prefix, literal in (
        (f"{app}:one:two", True),
        (app, True),
        (f"{app}:lit:three:four", True),
        (f"{app}:lit", True),
        (f"{app}:lit", False),
    ):
        async with RedisEngine(client, prefix, literal=literal) as engine:
            with pytest.raises(EngineConfigError, match="would meet"):
                await engine.set("session/creds", b"overwritten")

    async with RedisEngine(client, f"{app}:other") as engine:
        await engine.set("k", b"1")
    async with RedisEngine(client, f"{app}:lit:three", literal=True) as engine:
        assert await engine.get("session/creds") == b"of the literal one"
        await engine.set("k", b"1")
