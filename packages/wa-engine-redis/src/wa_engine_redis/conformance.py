"""Hooks for the conformance suite: damage, silence and a look past the engine.

The suite finds them by the entry point group `wa.conformance`. `stall` stops the server's process,
which must be on this machine.
"""

from __future__ import annotations

import os
import signal
from itertools import cycle

from wa_core.storage import Durability, Engine, EngineUrl

from wa_engine_redis.engine import LAYOUT, RedisEngine
from wa_engine_redis.keys import registered
from wa_engine_redis.line import Line
from wa_engine_redis.provider import engine_of


class RedisHooks:
    """What only somebody who knows the layout can do to a session."""

    def __init__(self) -> None:
        self._stopped: dict[int, list[int]] = {}
        self._ways = cycle((_evict, _retype))

    async def damage(self, engine: Engine, key: str) -> None:
        """Take a value away, as eviction would, or put something else in its place, in turn."""
        ours = _ours(engine)
        await next(self._ways)(ours.line, ours.space.value(key))

    async def stall(self, engine: Engine) -> None:
        """Stop the process of the server."""
        found = await _ours(engine).line.ask_all("INFO", "server")
        pids = [int(server["process_id"]) for server in found]
        self._stopped[id(engine)] = pids
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)

    async def resume(self, engine: Engine) -> None:
        """Let it go on."""
        for pid in self._stopped.pop(id(engine)):
            os.kill(pid, signal.SIGCONT)

    async def residue(self, engine: Engine) -> list[str]:
        """Name every key of the session but the hash of the session itself."""
        ours, found = _ours(engine), set()
        cursor = b"0"
        while True:
            cursor, names = await ours.line.scan(cursor)
            found |= {name for name in names if name.startswith(ours.space.prefix)}
            if int(cursor) == 0:
                return sorted(name.decode() for name in found - {ours.space.meta})

    async def pretend_newer(self, engine: Engine) -> None:
        """Raise the version in the session's hash."""
        ours = _ours(engine)
        await ours.line.call("HSET", ours.space.meta, "layout", LAYOUT + 1)

    async def forget(self, url: str) -> None:
        """Remove what an empty session leaves: its hash, and its name in the registry."""
        engine = engine_of(EngineUrl.parse(url))
        space = engine.space
        try:
            await engine.line.call("UNLINK", space.meta)
            await engine.line.call("SREM", space.registry, registered(space.session))
        finally:
            await engine.close()

    async def weak_places(self) -> list[tuple[str, Durability]]:
        """Start servers that are set up for less than power."""
        return []


def _ours(engine: Engine) -> RedisEngine:
    while not isinstance(engine, RedisEngine):
        engine = engine.inner  # type: ignore[attr-defined]
    return engine


async def _evict(line: Line, name: bytes) -> None:
    await line.call("DEL", name)


async def _retype(line: Line, name: bytes) -> None:
    await line.call("DEL", name)
    await line.call("RPUSH", name, "not a string")
