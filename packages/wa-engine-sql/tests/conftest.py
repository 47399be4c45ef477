"""What all tests of the package share: one server of each kind for as long as they run."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncmy
import asyncpg
import pytest
from wa_conformance.servers import MariaDbServer, PostgresServer, needed
from wa_core.storage import EngineUrl
from wa_engine_sql.mysql_url import arguments


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL that is set up for power durability."""
    with needed("postgres") as found:
        assert isinstance(found, PostgresServer)
        yield found


@pytest.fixture
async def database(postgres: PostgresServer) -> str:
    """Make an empty database and return its URL."""
    name = f"test_{secrets.token_hex(4)}"
    connection = await asyncpg.connect(postgres.url)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return f"{postgres.url.rpartition('/')[0]}/{name}"


@pytest.fixture
async def witness(postgres: PostgresServer) -> AsyncIterator[Any]:
    """Connect somebody else, who looks on and gets in the way."""
    found = await asyncpg.connect(postgres.url)
    yield found
    await found.close()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDbServer]:
    """Run a MariaDB that is set up for power durability."""
    with needed("mariadb") as found:
        assert isinstance(found, MariaDbServer)
        yield found


@pytest.fixture
async def schema(mariadb: MariaDbServer, onlooker: Any) -> str:
    """Make an empty MariaDB database and return its URL."""
    name = f"test_{secrets.token_hex(4)}"
    await onlooker.query(f"CREATE DATABASE {name}")
    return f"{mariadb.url.rpartition('/')[0]}/{name}"


@pytest.fixture
async def onlooker(mariadb: MariaDbServer) -> AsyncIterator[Any]:
    """Connect somebody else to MariaDB, who looks on and gets in the way."""
    found = await asyncmy.connect(**arguments(EngineUrl.parse(mariadb.url)), autocommit=True)
    yield found
    await found.ensure_closed()
