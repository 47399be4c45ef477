"""What all tests of the package share: a mongod alone, a replica set, a database for each test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from wa_conformance.servers import MongoServer, Settings, needed

PATIENT: Settings = {
    "setParameter": ["transactionLifetimeLimitSeconds=3600"],
    "wiredTigerCacheSizeGB": 3,
}
"""The server itself ends no transaction, and takes large ones."""


@pytest.fixture(scope="session")
def standalone() -> Iterator[str]:
    """Run a mongod without transactions."""
    with needed("mongo") as server:
        yield server.url


@pytest.fixture(scope="session")
def replica_set() -> Iterator[str]:
    """Run a replica set of one member."""
    with needed(lambda: MongoServer(members=1, settings=PATIENT)) as server:
        yield server.url


@pytest.fixture(params=["standalone", "replica_set"])
def server(request: pytest.FixtureRequest) -> str:
    """Run the test on each kind of server."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
def place(server: str) -> str:
    """Name a database of the test's own."""
    return in_own_database(server)


@pytest.fixture
def alone(standalone: str) -> str:
    """Name a database on the server without transactions."""
    return in_own_database(standalone)


@pytest.fixture
def replicated(replica_set: str) -> str:
    """Name a database on the replica set."""
    return in_own_database(replica_set)


def in_own_database(url: str) -> str:
    """Replace the database of a URL."""
    return url.replace("/wa", f"/test-{secrets.token_hex(4)}", 1)
