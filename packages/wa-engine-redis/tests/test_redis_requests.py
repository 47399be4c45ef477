"""Requests that come late, twice, or after their caller has left: none of them changes anything."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest
from redis.asyncio import Redis
from wa_core.errors import EngineUnavailableError, FencedError, LeaseHeldError
from wa_core.storage import Batch, open_engine
from wa_engine_redis import RedisEngine
from wa_engine_redis.plan import packed
from wa_engine_redis.scripts import ACQUIRE, APPLY, CLEAR, ENROLL, Script


async def repeat(client: Any, engine: RedisEngine, script: Script, *args: bytes) -> Any:
    """Send what the engine has sent once before, as the network may."""
    return await client.execute_command("EVAL", script.text, 1, engine.space.prefix, *args)


def written(value: bytes) -> tuple[bytes, ...]:
    return (b"", *packed(tuple(Batch().put("k", value))))


async def test_a_late_copy_of_a_batch_changes_nothing(client: Any) -> None:
    engine = RedisEngine(client, f"late:{secrets.token_hex(4)}")
    await engine.set("k", b"older")
    writer = (await client.hgetall(engine.space.meta)).keys()
    name = next(field[2:] for field in writer if field.startswith(b"w:"))
    await engine.set("k", b"newer")

    for number in (b"1", b"2"):
        assert await repeat(client, engine, APPLY, name, number, *written(b"older")) == [b"done"]
        assert await repeat(client, engine, CLEAR, name, number) == [b"done"]

    assert await engine.get("k") == b"newer"
    await engine.close()
    assert await repeat(client, engine, APPLY, name, b"9", *written(b"late")) == [b"unknown"]
    assert await client.get(engine.space.value("k")) == b"newer"


async def test_a_copy_of_an_enrolment_makes_another_writer(client: Any) -> None:
    engine = RedisEngine(client, f"late:{secrets.token_hex(4)}")
    await engine.set("k", b"1")

    first = await repeat(client, engine, ENROLL, b"word")
    again = await repeat(client, engine, ENROLL, b"word")

    assert first[0] == again[0] == b"done"
    assert first[1] != again[1]
    await engine.close()


async def test_a_copy_of_an_acquire_takes_no_second_lease(client: Any) -> None:
    engine = RedisEngine(client, f"late:{secrets.token_hex(4)}")
    lease = await engine.acquire("worker", 60)
    token = await client.hget(engine.space.meta, "token")
    await lease.release()

    again = await repeat(client, engine, ACQUIRE, b"worker", b"60000000", token)

    assert again == [b"done", b"%d" % lease.epoch]
    second = await engine.acquire("other", 60)
    assert second.epoch > lease.epoch
    with pytest.raises(LeaseHeldError):
        await engine.acquire("third", 60)
    await engine.close()


async def test_an_epoch_is_not_given_again_by_a_server_that_lost_its_memory(client: Any) -> None:
    engine = RedisEngine(client, f"late:{secrets.token_hex(4)}")
    lease = await engine.acquire("worker", 60)
    await client.delete(engine.space.meta)

    async with await engine.acquire("other", 60) as other:
        assert other.epoch > lease.epoch
        with pytest.raises(FencedError):
            await engine.apply(Batch().put("k", b"late"), fence=lease)

    await engine.close()


async def test_a_writer_that_the_server_forgot_enrols_again(client: Any) -> None:
    engine = RedisEngine(client, f"late:{secrets.token_hex(4)}")
    await engine.set("k", b"1")
    await client.delete(engine.space.meta)

    await engine.set("k", b"2")

    assert await engine.get("k") == b"2"
    await engine.close()


async def test_scripts_that_the_server_lost_are_sent_again(client: Any) -> None:
    engine = RedisEngine(client, f"late:{secrets.token_hex(4)}")
    await engine.set("k", b"1")
    await client.script_flush()

    assert await engine.get("k") == b"1"
    await engine.set("k", b"2")
    assert await engine.list() == ["k"]
    await engine.close()


async def test_killed_writers_are_forgotten_after_a_day(client: Any) -> None:
    prefix = f"late:{secrets.token_hex(4)}"
    engine = RedisEngine(client, prefix)
    await engine.set("k", b"1")
    old = {f"w:{number}-x": "7" for number in range(50)} | {f"s:{n}-x": "1" for n in range(50)}
    await client.hset(engine.space.meta, mapping=old)

    async with RedisEngine(client, prefix) as other:
        await other.set("k", b"2")
        left = await client.hkeys(engine.space.meta)

    assert not [field for field in left if field.endswith(b"-x")]
    await engine.set("k", b"3")
    await engine.close()


async def test_cancelled_calls_leave_no_connection_in_mid_reply(client: Any) -> None:
    engine = RedisEngine(client, f"late:{secrets.token_hex(4)}")
    for number in range(20):
        await engine.set(f"k/{number}", f"{number}".encode() * 10_000)

    for ticks in range(40):
        keys = [f"k/{(ticks + n) % 20}" for n in range(3)]
        task = asyncio.ensure_future(engine.get_many(keys))
        for _ in range(ticks % 13):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait((task,))
        assert await engine.get("k/7") == b"7" * 10_000

    assert len(client.connection_pool._in_use_connections) == 0
    await engine.close()


async def test_a_thousand_readers_share_a_few_connections(place: str, client: Any) -> None:
    async with await open_engine(f"{place}&max_connections=4") as engine:
        await engine.set("k", b"1")

        found = await asyncio.gather(*(engine.get("k") for _ in range(1_000)))

    assert set(found) == {b"1"}


async def test_too_few_replicas_are_an_unknown_outcome(place: str) -> None:
    async with await open_engine(f"{place}&timeout=3") as engine:
        await engine.set("k", b"1")
    async with await open_engine(f"{place}&timeout=3&replicas=1") as engine:
        with pytest.raises(EngineUnavailableError, match="replicas"):
            await engine.set("k", b"2")


async def test_a_client_that_decodes_serves_bytes_all_the_same(server: Any) -> None:
    client = Redis.from_url(server.url, decode_responses=True)
    engine = RedisEngine(client, f"late:{secrets.token_hex(4)}")
    await engine.apply(Batch().put("k/\u00e9", b"\xff\x00").put("k", b""))

    assert await engine.get_many(["k", "k/\u00e9"]) == {"k": b"", "k/\u00e9": b"\xff\x00"}
    assert await engine.list() == ["k", "k/\u00e9"]
    assert [entry.value async for entry in engine.scan("k/")] == [b"\xff\x00"]
    lease = await engine.acquire("worker", 60)
    await lease.release()
    await engine.clear()
    await engine.close()
    await client.aclose()
