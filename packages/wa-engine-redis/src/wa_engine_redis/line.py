"""The way to the server: scripts by their digest, a bounded number at a time.

One idea: a call that ends before its answer leaves a connection in mid-reply. redis-py drops such
a connection; we see to it that no call waits in the pool's own queue, where a cancel could lose
one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import suppress
from typing import Any, Protocol, cast

from redis.asyncio import Redis, RedisCluster
from redis.client import NEVER_DECODE
from redis.exceptions import NoScriptError
from redis.utils import str_if_bytes
from wa_core.errors import EngineUnavailableError

from wa_engine_redis.faults import driver_errors
from wa_engine_redis.scripts import Script

AT_ONCE = 32
"""Calls of one engine that are on their way at the same time."""

AnyClient = Redis | RedisCluster


class _Driver(Protocol):
    """What we use of a client; redis-py's own types leave it open."""

    def execute_command(self, *args: object, **options: object) -> Awaitable[Any]: ...

    def pipeline(self, transaction: bool) -> Any: ...


class Line:
    """Calls for one session, through a client that may serve others too."""

    def __init__(
        self, client: AnyClient, prefix: bytes, *, replicas: int = 0, timeout: float
    ) -> None:
        self.client = client
        self._driver = cast("_Driver", client)
        self._prefix = prefix
        self._replicas = replicas
        self._wait_ms = max(1, int(timeout * 900))
        self._gate = asyncio.Semaphore(min(AT_ONCE, _room(client)))
        self._options: dict[str, object] = {NEVER_DECODE: True} if _decodes(client) else {}

    @property
    def is_cluster(self) -> bool:
        """Tell whether the client speaks to a cluster."""
        return is_cluster(self.client)

    async def run(self, script: Script, *args: bytes) -> Any:
        """Run a script on the session's keys."""
        async with self._gate:
            with driver_errors():
                return await self._evaluated(script, args)

    async def write(self, script: Script, *args: bytes) -> Any:
        """Run a script, and wait until the replicas that were asked for have it."""
        if not self._replicas:
            return await self.run(script, *args)
        async with self._gate:
            with driver_errors():
                return await self._replicated(script, args)

    async def call(self, *args: bytes | str | int, **options: object) -> Any:
        """Send one plain command."""
        async with self._gate:
            with driver_errors():
                return await self._driver.execute_command(*args, **options, **self._options)

    async def call_many(self, commands: Sequence[tuple[object, ...]]) -> list[Any]:
        """Send plain commands in one go; on a cluster, to the servers that they are for."""
        pipeline = self._driver.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        async with self._gate:
            with driver_errors():
                replies: list[Any] = await pipeline.execute()
        return replies

    async def transact(self, commands: Sequence[tuple[object, ...]]) -> None:
        """Send plain commands as one MULTI: all of them are done, or none."""
        pipeline = self._driver.pipeline(transaction=True)
        for command in commands:
            pipeline.execute_command(*command)
        async with self._gate:
            with driver_errors():
                await pipeline.execute()

    async def names(self) -> AsyncGenerator[bytes, None]:
        """Walk the keyspace that the session lies in, without a pattern; some names come twice."""
        with driver_errors():
            target = await self._target()
        cursor = b"0"
        while True:
            # In small letters: the driver would read the answer to the command that it knows.
            cursor, names = await self.call("scan", cursor, "COUNT", 1000, **target)
            for name in names:
                yield name
            if int(cursor) == 0:
                return

    async def disconnect(self) -> None:
        """Close the client's connections."""
        with driver_errors():
            await self.client.aclose()

    async def ask_all(self, *commands: tuple[str, str]) -> list[dict[str, str]]:
        """Send commands that reply with names and values to every server that may hold keys."""
        if not isinstance(self.client, RedisCluster):
            return [await self._asked(commands, {})]
        with driver_errors():
            await self.client.initialize()
        primaries = self.client.get_primaries()
        replies = [await self._asked(commands, {"target_nodes": node}) for node in primaries]
        for node in self.client.get_replicas():
            # It may be a primary tomorrow; that it is away today is no reason not to open.
            with suppress(EngineUnavailableError):
                replies.append(await self._asked(commands, {"target_nodes": node}))
        return replies

    async def _asked(
        self, commands: Sequence[tuple[str, str]], target: dict[str, object]
    ) -> dict[str, str]:
        # Not through `call`: the driver's own reading of these answers needs them decoded as set.
        pipeline = self._driver.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command, **target)
        async with self._gate:
            with driver_errors():
                replies = await pipeline.execute()
        pairs = [pair for reply in replies for pair in reply.items()]
        return {str_if_bytes(name): str_if_bytes(value) for name, value in pairs}

    async def _evaluated(self, script: Script, args: tuple[bytes, ...]) -> Any:
        call = self._driver.execute_command
        try:
            return await call("EVALSHA", script.sha, 1, self._prefix, *args, **self._options)
        except NoScriptError:
            return await call("EVAL", script.text, 1, self._prefix, *args, **self._options)

    async def _replicated(self, script: Script, args: tuple[bytes, ...]) -> Any:
        # One pipeline is one connection, and WAIT counts what that connection wrote.
        target = {**self._options, **await self._target()}
        pipeline = self._driver.pipeline(transaction=False)
        pipeline.execute_command("EVAL", script.text, 1, self._prefix, *args, **target)
        pipeline.execute_command("WAIT", self._replicas, self._wait_ms, **target)
        answer, reached = await pipeline.execute()
        if int(reached) < self._replicas:
            raise EngineUnavailableError(f"{reached} of {self._replicas} replicas have it")
        return answer

    async def _target(self) -> dict[str, object]:
        """Name the server that the session is on, for commands that name no key."""
        if not isinstance(self.client, RedisCluster):
            return {}
        await self.client.initialize()
        return {"target_nodes": self.client.get_node_from_key(self._prefix.decode())}


def is_cluster(client: AnyClient) -> bool:
    """Tell whether a client speaks to a cluster."""
    return isinstance(client, RedisCluster)


def _room(client: AnyClient) -> int:
    pool = getattr(client, "connection_pool", None)
    return int(getattr(pool, "max_connections", None) or AT_ONCE)


def _decodes(client: AnyClient) -> bool:
    encoder = client.get_encoder()
    return bool(encoder.decode_responses)
