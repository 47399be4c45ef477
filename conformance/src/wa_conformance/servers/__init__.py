"""Real servers for tests: Redis, Redis Cluster, MongoDB, PostgreSQL, MariaDB, on private ports.

    with RedisServer(version="7", settings={"appendfsync": "no"}) as server:
        engine = await open_engine(f"{server.url}#tests")
        server.kill()
        server.restart()

Each has a folder of its own, durable settings unless told otherwise, and dies with the process that
started it, even when that is killed. It is found by a URL in the environment, on PATH, or in a
wheel, in that order. `python -m wa_conformance.servers --help` runs commands on them.
"""

from __future__ import annotations

from wa_conformance.servers.cluster import RedisCluster
from wa_conformance.servers.errors import (
    ForeignServerError,
    ServerError,
    ServerNotFoundError,
    ServerStartError,
)
from wa_conformance.servers.kinds import KINDS, make, needed
from wa_conformance.servers.mariadb import MariaDbServer
from wa_conformance.servers.mongo import MongoServer
from wa_conformance.servers.postgres import PostgresServer
from wa_conformance.servers.process import Process, Settings
from wa_conformance.servers.redis import RedisServer
from wa_conformance.servers.server import Server

__all__ = [
    "KINDS",
    "ForeignServerError",
    "MariaDbServer",
    "MongoServer",
    "PostgresServer",
    "Process",
    "RedisCluster",
    "RedisServer",
    "Server",
    "ServerError",
    "ServerNotFoundError",
    "ServerStartError",
    "Settings",
    "make",
    "needed",
]
