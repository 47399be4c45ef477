"""`redis:`, `rediss:` and `unix:` URLs: from a place and a session to an open engine [U2, U3]."""

from __future__ import annotations

import asyncio

from wa_core.errors import EngineUnavailableError, InvalidUrlError
from wa_core.storage import (
    DEFAULT_TIMEOUT_S,
    Capabilities,
    Durability,
    Engine,
    EngineUrl,
    Provider,
)

from wa_engine_redis.client import connected
from wa_engine_redis.engine import RedisEngine
from wa_engine_redis.keys import PLACE, SESSION, KeySpace, session_name
from wa_engine_redis.line import Line

AT_ONCE = 500


class RedisProvider(Provider):
    """Opens sessions of a Redis."""

    best = Capabilities(durability=Durability.POWER, shared=True)

    async def open(self, url: EngineUrl, *, read_only: bool = False) -> Engine:
        """Connect, look at the settings, and take over what has no index yet."""
        engine = engine_of(url, read_only=read_only)
        try:
            return await engine.open()
        except BaseException:
            await engine.close()
            raise

    async def list_sessions(self, url: EngineUrl) -> list[str]:
        """Name the sessions of the place that hold anything."""
        client, timeout = connected(url), url.timeout or DEFAULT_TIMEOUT_S
        place = url.params.get("prefix", PLACE)
        line = Line(client, KeySpace.of(place, "").prefix, timeout=timeout)
        try:
            async with asyncio.timeout(timeout):
                return await _sessions(line, place)
        except TimeoutError as exc:
            raise EngineUnavailableError(f"no answer within {timeout:g} s") from exc
        finally:
            await line.disconnect()


async def _sessions(line: Line, place: str) -> list[str]:
    registry = KeySpace.of(place, "").sessions
    names = [session_name(member) for member in await line.call("SMEMBERS", registry)]
    found: list[str] = []
    for first in range(0, len(names), AT_ONCE):
        some = names[first : first + AT_ONCE]
        sets = [KeySpace.of(place, name, tagged=line.is_cluster).by_age for name in some]
        sizes = await line.call_many([("ZCARD", each) for each in sets])
        found += [name for name, size in zip(some, sizes, strict=True) if size]
    return found


def engine_of(url: EngineUrl, *, read_only: bool = False) -> RedisEngine:
    """Make the engine that `url` describes; nothing is sent yet."""
    replicas = url.params.get("replicas", "0")
    if not replicas.isdecimal():
        raise InvalidUrlError("replicas", "the number of replicas that must have a write")
    literal = url.flag("literal")
    if literal and (url.session is not None or "prefix" not in url.params or url.flag("cluster")):
        raise InvalidUrlError("literal", "prefix= is then the whole name: no #session, no cluster")
    durability, adopt, evicts = url.durability, url.flag("adopt"), url.flag("allow_eviction")
    return RedisEngine(
        connected(url),
        url.params.get("prefix", PLACE),
        session=None if literal else url.session or SESSION,
        literal=literal,
        durability=durability,
        replicas=int(replicas),
        allow_eviction=evicts,
        adopt=adopt,
        read_only=read_only,
        timeout=url.timeout or DEFAULT_TIMEOUT_S,
        owns_client=True,
    )
