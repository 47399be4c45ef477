"""Hooks for the conformance suite: damage, silence and a look past the engine.

The suite finds them by the entry point group `wa.conformance`. `stall` stops the server's process,
which must be on this machine; `weak_places` starts servers of its own.
"""

from __future__ import annotations

import atexit
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle

from wa_core.storage import Durability, Engine, EngineUrl

from wa_engine_redis.engine import LAYOUT, RedisEngine
from wa_engine_redis.line import Line
from wa_engine_redis.provider import engine_of

WEAK = (
    ({"appendonly": "no"}, Durability.VOLATILE),
    ({"appendfsync": "everysec"}, Durability.VOLATILE),
    ({"appendfsync": "no"}, Durability.PROCESS),
    ({"no-appendfsync-on-rewrite": "yes"}, Durability.PROCESS),
)
"""Settings that give less than power, and what they give."""


class RedisHooks:
    """What only somebody who knows the layout can do to a session."""

    def __init__(self) -> None:
        self._stopped: dict[int, list[int]] = {}
        self._ways = cycle((_evict, _retype))
        self._places: list[tuple[str, Durability]] = []

    async def damage(self, engine: Engine, key: str) -> None:
        """Take a value away, as eviction would, or put something else in its place, in turn."""
        async with _behind(engine) as ours:
            await next(self._ways)(ours.line, ours.space.value(key))

    async def stall(self, engine: Engine) -> None:
        """Stop the processes of the servers."""
        async with _behind(engine) as ours:
            found = await ours.line.ask_all(("INFO", "server"))
        pids = self._stopped[id(engine)] = [int(server["process_id"]) for server in found]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)

    async def resume(self, engine: Engine) -> None:
        """Let them go on."""
        for pid in self._stopped.pop(id(engine)):
            os.kill(pid, signal.SIGCONT)

    async def residue(self, engine: Engine) -> list[str]:
        """Name every key of the session but the hash of the session itself."""
        found: set[bytes] = set()
        async with _behind(engine) as ours:
            async for name in ours.line.names():
                if name.startswith(ours.space.prefix) and name != ours.space.meta:
                    found.add(name)
        return sorted(name.decode() for name in found)

    async def pretend_newer(self, engine: Engine) -> None:
        """Raise the version in the session's hash."""
        async with _behind(engine) as ours:
            await ours.line.call("HSET", ours.space.meta, "layout", LAYOUT + 1)

    async def forget(self, url: str) -> None:
        """Remove what an empty session leaves: its hash, and its name in the registry."""
        engine = engine_of(EngineUrl.parse(url))
        async with engine:
            await engine.line.call("UNLINK", engine.space.meta)
            await engine.line.call("SREM", engine.space.registry, engine.space.member)

    def weak_places(self) -> list[tuple[str, Durability]]:
        """Start servers that are set up for less than power; they end with this process."""
        # Here, because only the suite itself calls this: an engine does not depend on it.
        from wa_conformance.servers import RedisServer

        if not self._places:
            for settings, gives in WEAK:
                server = RedisServer(settings=settings).start()
                atexit.register(server.stop)
                self._places.append((server.url, gives))
        return self._places


@asynccontextmanager
async def _behind(engine: Engine) -> AsyncIterator[RedisEngine]:
    """Find the engine behind its wrappers; what was closed is closed again."""
    while not isinstance(engine, RedisEngine):
        engine = engine.inner  # type: ignore[attr-defined]
    try:
        yield engine
    finally:
        if engine.is_closed:
            await engine.line.disconnect()


async def _evict(line: Line, name: bytes) -> None:
    await line.call("DEL", name)


async def _retype(line: Line, name: bytes) -> None:
    await line.call("DEL", name)
    await line.call("RPUSH", name, "not a string")
