"""A cluster: a session in one slot, and a fail-over that loses nothing acknowledged."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from redis.asyncio import RedisCluster as Client
from wa_conformance.servers import Process, RedisCluster, Server, needed
from wa_core.errors import EngineUnavailableError
from wa_core.storage import Batch, Engine, list_sessions, open_engine
from wa_engine_redis import RedisEngine

pytestmark = pytest.mark.distributed
PATIENCE_S = 120.0
ENDS_WITHIN_S = 3.0 + 1.0


async def test_sessions_spread_and_each_lies_in_one_slot() -> None:
    with needed("redis-cluster") as server:
        names = [f"bot {number}:{{x}}" for number in range(30)]
        for name in names:
            async with await open_engine(f"{server.url}#{name}") as engine:
                await engine.apply(Batch().put("a", b"1").put("b/c", b"2").put("d{y}", b"3"))
        assert await list_sessions(server.url) == sorted(names)
        client = Client.from_url(server.url.partition("?")[0])
        engines = [RedisEngine(client, "wa", session=name) for name in names]
        slots = [client.keyslot(engine.space.prefix) for engine in engines]
        assert [client.keyslot(engine.space.value("d{y}")) for engine in engines] == slots
        assert len({slot * 3 // 16384 for slot in slots}) == 3
        await client.aclose()


async def until_acknowledged(engine: Engine, batch: Batch) -> None:
    gives_up = time.monotonic() + PATIENCE_S
    while True:
        began = time.monotonic()
        try:
            await engine.apply(batch)
            return
        except EngineUnavailableError:
            assert time.monotonic() - began < ENDS_WITHIN_S
            assert time.monotonic() < gives_up, "the cluster never came back"
        await asyncio.sleep(0.05)


def numbered(number: int) -> Batch:
    return Batch().put("state", f"{number}").put(f"m/{number}", b"x")


async def test_a_fail_over_loses_nothing_that_a_replica_has() -> None:
    with needed(lambda: RedisCluster(masters=3, replicas=1)) as server:
        url = f"{server.url}&replicas=1&timeout=3#session"
        async with await open_engine(url) as engine:
            for number in range(100):
                await until_acknowledged(engine, numbered(number))
            victim = primary_of(server, engine)

            victim.kill()
            await until_elected(engine, numbered(100))
            # The new primary needs a replica for the next acknowledgement.
            victim.launch()
            await asyncio.to_thread(victim.await_ready)
            for number in range(100, 300):
                await until_acknowledged(engine, numbered(number))

        async with await open_engine(url) as engine:
            assert await engine.get("state") == b"299"
            assert await engine.count("m/") == 300


def primary_of(server: Server, engine: Engine) -> Process:
    assert isinstance(engine, RedisEngine)
    client: Any = engine.line.client
    port = client.get_node_from_key(engine.space.prefix.decode()).port
    return next(node for node in server.nodes if node.port == port)


async def until_elected(engine: Engine, batch: Batch) -> None:
    """Apply until the batch is there, acknowledged or not: nobody can acknowledge it alone."""
    gives_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < gives_up:
        try:
            await engine.apply(batch)
        except EngineUnavailableError as exc:
            if "replicas" in str(exc):
                return
        await asyncio.sleep(0.05)
    raise AssertionError("no replica took over")
