"""The servers by name, as command lines and `[tool.wa] conformance` name them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from wa_conformance.absence import absent
from wa_conformance.servers.cluster import RedisCluster
from wa_conformance.servers.errors import ServerNotFoundError
from wa_conformance.servers.mariadb import MariaDbServer
from wa_conformance.servers.mongo import MongoServer
from wa_conformance.servers.postgres import PostgresServer
from wa_conformance.servers.redis import RedisServer
from wa_conformance.servers.server import Server

KINDS: Mapping[str, Callable[[], Server]] = {
    "redis": RedisServer,
    "redis-6.2": partial(RedisServer, version="6.2"),
    "redis-7": partial(RedisServer, version="7"),
    "redis-cluster": RedisCluster,
    "mongo": MongoServer,
    "mongo-rs": partial(MongoServer, members=1),
    "mongo-rs3": partial(MongoServer, members=3),
    "postgres": PostgresServer,
    "mariadb": MariaDbServer,
}


def make(kind: str) -> Server:
    """Make a server by its name, not started."""
    if kind not in KINDS:
        raise ValueError(f"no server is called {kind!r}; there are {', '.join(KINDS)}")
    return KINDS[kind]()


@contextmanager
def needed(server: str | Callable[[], Server]) -> Iterator[Server]:
    """Run a server for a test; where there is none the test is skipped, and with CI=true it fails.

    Takes a kind, or what makes a server: `needed(lambda: RedisServer(settings={...}))`.
    """
    try:
        made = make(server) if isinstance(server, str) else server()
    except ServerNotFoundError as exc:
        absent(str(exc))
    with made:
        yield made
