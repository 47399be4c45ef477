"""F1 over a network: a line that breaks at any message, falls silent, or is not there any more.

A broken line may be mended by whoever asks again; then the answer is the right one, and never that
there is nothing.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator

import pytest
from unreadable_bench.minting import watched
from unreadable_bench.readers import MOVERS, OPENERS, Refusal, opens
from unreadable_bench.sample import CREDENTIALS, RECORDS
from unreadable_bench.stores import forget, stored
from wa_conformance.servers import Server, needed
from wa_conformance.trials.plan import Fault, Kind
from wa_conformance.trials.proxy import Proxy
from wa_core.storage import Batch, EngineUrl, open_engine
from wa_core.storage.layouts import CREDS

pytestmark = pytest.mark.once

SCHEMES = ("redis", "baileys-redis", "arcaelas-redis")
READERS = OPENERS | MOVERS
BREAKS = (Kind.RESET_BEFORE, Kind.DROP_REPLY, Kind.RESET_AMID, Kind.RESET_AFTER)
MESSAGES = (0, 1, 2, 3, 5, 8, 13, 21)
"""How many messages a break lets pass; each of these meets another kind of break."""
HOURS_S = 3600.0


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with needed("redis-7") as found:
        yield found


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[Proxy]:
    host, _, port = EngineUrl.parse(server.url).place.strip("/").partition("/")[0].rpartition(":")
    async with Proxy(host, int(port)) as found:
        yield found


@pytest.fixture(autouse=True)
def nobody_mints() -> Iterator[None]:
    with watched() as notes:
        yield
    assert notes == []


class Line:
    """A session on the server, and the way to it through the proxy."""

    def __init__(self, scheme: str, server: Server, proxy: Proxy) -> None:
        name = secrets.token_hex(6)
        self.direct = f"{server.url.replace('redis:', f'{scheme}:', 1)}#{name}"
        self.target, self.there = stored({})
        self.url = self.direct.replace(f":{proxy.upstream[1]}/", f":{proxy.port}/")

    async def fill(self) -> None:
        batch = Batch()
        for key, value in RECORDS.items():
            batch.put(key, value)
        async with await open_engine(self.direct) as engine:
            await engine.apply(batch)

    async def creds(self) -> bytes | None:
        async with await open_engine(self.direct) as engine:
            return await engine.get(CREDS)

    async def read(self, reader: str, *, timeout_s: float = 10.0) -> Refusal | None:
        """Let somebody read through the line."""
        place, _, name = self.url.partition("#")
        url = f"{place}?timeout={timeout_s}#{name}"
        return await asyncio.to_thread(READERS[reader], url, self.target)

    async def holder(self) -> str:
        """Return which side opens: one, with the credentials as they were."""
        sides = [url for url in (self.direct, self.target) if await asyncio.to_thread(opens, url)]
        assert len(sides) == 1
        found = self.there.values[CREDS] if sides == [self.target] else await self.creds()
        assert found == CREDENTIALS
        forget(self.target)
        return sides[0]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("reader", ["open, to begin one", "move"])
async def test_a_line_that_breaks_at_some_message_hides_no_session(
    reader: str, scheme: str, server: Server, proxy: Proxy
) -> None:
    for number, message in enumerate(MESSAGES):
        line = Line(scheme, server, proxy)
        await line.fill()
        proxy.arm(Fault(BREAKS[number % len(BREAKS)], step=0, skip=message, seconds=0.001))

        refusal = await line.read(reader)

        proxy.disarm()
        assert refusal is None or refusal.code == "engine-unavailable"
        # A move may have been decided when its answer was lost.
        assert await line.holder() == line.direct or reader == "move"

    assert proxy.met.total() > 2


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("reader", ["open, to begin one", "validate", "move", "dry run"])
async def test_a_line_that_is_gone_or_silent_is_an_error_to_everybody(
    reader: str, scheme: str, server: Server, proxy: Proxy
) -> None:
    line = Line(scheme, server, proxy)
    await line.fill()

    proxy.stall(HOURS_S)
    silent = await line.read(reader, timeout_s=0.1)
    proxy.flowing.set()
    proxy.refuse(HOURS_S)
    gone = await line.read(reader, timeout_s=2.0)

    for refusal in (silent, gone):
        assert refusal is not None
        assert refusal.code == "engine-unavailable"
    assert await line.holder() == line.direct
