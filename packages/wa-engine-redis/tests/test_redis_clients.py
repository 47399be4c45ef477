"""Clients that an application brings: of a Sentinel, of a user with few rights."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
from redis.asyncio.sentinel import Sentinel
from wa_conformance.servers import Process, RedisServer, Settings, needed
from wa_conformance.servers.redis import RedisNode
from wa_core.errors import EngineConfigError
from wa_core.storage import Batch, Durability, open_engine
from wa_engine_redis import RedisEngine
from wa_engine_redis.faults import NEEDED


class SentinelNode(RedisNode):
    """A Sentinel is a redis-server that is told so."""

    defaults: ClassVar[Settings] = {}

    def command(self) -> Sequence[object]:
        return (*super().command(), "--sentinel")


class SentinelServer(RedisServer):
    def make_nodes(self, version: str | None, settings: Settings | None) -> Sequence[Process]:
        return [SentinelNode(version=version, settings=settings)]


async def test_a_client_of_a_sentinel_will_do(server: RedisServer) -> None:
    watched = {"sentinel monitor ours": f"127.0.0.1 {urlsplit(server.url).port} 1"}
    with needed(lambda: SentinelServer(settings=watched)) as watcher:
        address = ("127.0.0.1", urlsplit(watcher.url).port)
        sentinel = Sentinel([address])  # type: ignore[no-untyped-call]
        client = sentinel.master_for("ours")
        async with RedisEngine(client, f"sentinel:{secrets.token_hex(4)}") as engine:
            await engine.apply(Batch().put("k", b"1").put("k/1", b"2").delete("k/1"))

            assert await engine.list() == ["k"]
            assert engine.capabilities.durability is Durability.POWER
        await client.aclose()
        for each in sentinel.sentinels:
            await each.aclose()


async def test_a_user_with_the_rights_we_name_can_do_everything(
    server: RedisServer, client: Any
) -> None:
    rights = NEEDED.split(", ")[1].split()
    await client.execute_command("ACL", "SETUSER", "few", "on", ">pw", "~few:*", "-@all", *rights)
    url = server.url.replace("://", "://few:pw@")
    async with await open_engine(f"{url}?prefix=few") as engine:
        await engine.apply(Batch().put("a/b", b"1").put("a/c", b"2").delete("a/c"))
        async with await engine.acquire("worker", 60) as lease:
            await engine.apply(Batch().put("a", b"3"), fence=lease)
        assert [entry.value async for entry in engine.scan()] == [b"3", b"1"]
        assert await engine.count("a/") == 1
        await engine.clear()
    async with await open_engine(f"{url}?prefix=few&adopt=1") as engine:
        assert await engine.list() == []

    with pytest.raises(EngineConfigError, match="ACL"):
        await open_engine(f"{url}?prefix=others")
