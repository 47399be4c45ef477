"""`baileys-redis:` and `arcaelas-redis:` URLs, and `...-rediss:` for TLS: from a URL to an engine.

`{prefix}` is `?prefix=`, and behind `#` stands the user or the session's name; both are taken as
the library spells them.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod

from wa_core.errors import EngineConfigError, EngineUnavailableError, InvalidUrlError
from wa_core.storage import (
    DEFAULT_TIMEOUT_S,
    FULL,
    Capabilities,
    Durability,
    Engine,
    EngineUrl,
    Provider,
)

from wa_engine_redis.client import DRIVERS, connected
from wa_engine_redis.layouts.arcaelas import IndexedSpace, PlainSpace
from wa_engine_redis.layouts.baileys import BaileysSpace
from wa_engine_redis.layouts.engine import UNCLAIMED, LayoutEngine
from wa_engine_redis.layouts.space import Space, names
from wa_engine_redis.line import Line
from wa_engine_redis.settings import Terms


class LayoutProvider(Provider):
    """What the two layouts share: the way to the server, and the names in a place."""

    best = Capabilities(durability=Durability.POWER, shared=True, claims=FULL - UNCLAIMED)
    parameters: tuple[str, ...] = ("allow_eviction", "prefix")
    prefix: str
    signs: tuple[str, ...]
    """What stands behind the name of a session that has credentials or a marker."""

    @abstractmethod
    async def space(self, url: EngineUrl, line: Line) -> Space:
        """Return the spelling that the URL asks for, or that the session has."""

    async def open(self, url: EngineUrl, *, read_only: bool = False) -> Engine:
        """Connect, and look at the settings and at the session."""
        line, timeout = self._line(url)
        try:
            async with asyncio.timeout(timeout):
                space = await self.space(url, line)
            terms = Terms(url.durability, url.flag("allow_eviction"))
            engine = LayoutEngine(line, space, terms, read_only=read_only, timeout=timeout)
            return await engine.open()
        except TimeoutError as exc:
            await line.disconnect()
            raise EngineUnavailableError(f"no answer within {timeout:g} s") from exc
        except BaseException:
            await line.disconnect()
            raise

    async def list_sessions(self, url: EngineUrl) -> list[str]:
        """Name the sessions of a place that have credentials, or were moved away."""
        line, timeout = self._line(url)
        start = f"{url.params.get('prefix', self.prefix)}:".encode()
        found: set[str] = set()
        try:
            async with asyncio.timeout(timeout):
                async for name in names(line, start, "string"):
                    session = self._session(name[len(start) :].decode(errors="replace"))
                    if session:
                        found.add(session)
        except TimeoutError as exc:
            raise EngineUnavailableError(f"no answer within {timeout:g} s") from exc
        finally:
            await line.disconnect()
        return sorted(found)

    def _session(self, rest: str) -> str:
        """Return the name that stands before a sign; the longest sign, for one may end another."""
        for sign in sorted(self.signs, key=len, reverse=True):
            if rest.endswith(sign):
                return rest.removesuffix(sign)
        return ""

    def _line(self, url: EngineUrl) -> tuple[Line, float]:
        url.refuse_unknown((*self.parameters, *DRIVERS))
        timeout = url.timeout or DEFAULT_TIMEOUT_S
        rest = {n: v for n, v in url.params.items() if n in (*DRIVERS, "timeout")}
        plain = EngineUrl(url.scheme.partition("-")[2], url.place, rest)
        prefix = url.params.get("prefix", self.prefix)
        if not prefix:
            raise InvalidUrlError("prefix", "what stands before the first colon")
        return Line(connected(plain), prefix.encode(), timeout=timeout), timeout


class BaileysRedisProvider(LayoutProvider):
    """`baileys-redis://HOST/0?prefix=baileys#user`."""

    prefix = "baileys"
    signs = (":creds", ":wa-move")

    async def space(self, url: EngineUrl, line: Line) -> Space:
        """Return the one spelling; a user must be named."""
        if not url.session:
            raise InvalidUrlError(f"{url.scheme} URL", "name the user with #, as in ...#user")
        return BaileysSpace(url.params.get("prefix", self.prefix), url.session)


class ArcaelasRedisProvider(LayoutProvider):
    """`arcaelas-redis://HOST/0?prefix=wa#default`; `?version=2` or `8` where nothing tells."""

    parameters = ("allow_eviction", "prefix", "version")
    prefix = "wa"
    signs = (":session/creds", ":doc:session/creds", ":wa/move", ":doc:wa/move")

    async def space(self, url: EngineUrl, line: Line) -> Space:
        """Return the spelling of the version that was asked for or has written here."""
        place, name = url.params.get("prefix", self.prefix), url.session or "default"
        if await line.call("EXISTS", f"{place}:{name}:/meta"):
            # The same strings, with an index beside them that this engine would leave behind.
            raise EngineConfigError("this session has an index of ours", "it is opened as redis:")
        signs = [f"{place}:{name}{sign}" for sign in self.signs]
        plain = await line.call("EXISTS", *signs[::2])
        indexed = await line.call("EXISTS", *signs[1::2])
        asked = url.params.get("version", "8" if indexed and not plain else "2")
        if asked not in ("2", "8"):
            raise InvalidUrlError("version", "2 or 8, the version of the library")
        if (indexed and asked == "2") or (plain and asked == "8"):
            raise EngineConfigError(f"version={asked}", "the session is of the other version")
        return IndexedSpace(place, name) if asked == "8" else PlainSpace(place, name)
