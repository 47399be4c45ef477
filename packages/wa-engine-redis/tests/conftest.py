"""What all tests of the package share: one Redis for as long as they run, a session for each."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from redis.asyncio import Redis
from wa_conformance.servers import RedisServer, needed


@pytest.fixture(scope="session")
def server() -> Iterator[RedisServer]:
    """Run a server that is set up for power durability."""
    with needed("redis") as found:
        assert isinstance(found, RedisServer)
        yield found


@pytest.fixture
def place(server: RedisServer) -> str:
    """Write the URL of a place of the test's own, without a session."""
    return f"{server.url}?prefix=test-{secrets.token_hex(4)}"


@pytest.fixture
async def client(server: RedisServer) -> AsyncIterator[Any]:
    """Connect a client of the test's own, as an application has one."""
    # The types of redis-py are unions of all that any protocol may answer.
    found = Redis.from_url(server.url, protocol=2)
    yield found
    await found.aclose()
