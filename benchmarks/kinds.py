"""The engines on servers: how each is started, and what it is measured against.

A new engine is a new entry: a URL, a floor, and a peer where one can be installed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from wa_conformance.servers import MariaDbServer, MongoServer, PostgresServer, RedisServer, Server

from benchmarks.floors.mariadb import MariadbFloor
from benchmarks.floors.mongo import MongoFloor
from benchmarks.floors.postgres import PostgresFloor
from benchmarks.floors.redis import RedisFloor
from benchmarks.floors.sqlite import SqliteFloor
from benchmarks.peers import keyvalue
from benchmarks.subject import Floor

PATIENCE = "timeout=120"
"""For our engines: a call that waits for a busy disk is slow, and no failure."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A server that runs, or a folder."""

    url: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One engine on one backend."""

    name: str
    title: str
    write_target: float
    """The least share of the floor's speed that a write must reach."""
    durable: str
    """What makes a write durable there, on both sides, in words."""
    start: Callable[[Path], AbstractAsyncContextManager[Backend]]
    open_floor: Callable[[str, str], Awaitable[Floor]]
    """Opens one from a URL and the name of a dataset."""
    open_store: Callable[[str], keyvalue.Store] | None = None
    """Opens a store of py-key-value-aio, where it has one for this backend."""
    open_synced_store: Callable[[str], keyvalue.Store] | None = None
    """Opens one that syncs as we do, where the store as it comes does not."""
    place: str = "{url}"
    """The URL of ours, from the URL of the backend."""

    def engine_url(self, url: str, session: str) -> str:
        """Return the URL that `open_engine` takes."""
        place = self.place.format(url=url)
        return f"{place}{'&' if '?' in place else '?'}{PATIENCE}#{session}"


def _on(make: Callable[[], Server]) -> Callable[[Path], AbstractAsyncContextManager[Backend]]:
    @asynccontextmanager
    async def start(folder: Path) -> AsyncIterator[Backend]:
        async with make() as server:
            yield Backend(server.url, server.origin)

    return start


@asynccontextmanager
async def folder_alone(folder: Path) -> AsyncIterator[Backend]:
    """Start nothing: the engine runs in the process, on files."""
    place = folder / "files"
    place.mkdir()
    yield Backend(str(place), "in the process")


def _redis() -> Server:
    # A rewrite of the log in the background would hit one side or the other by chance.
    return RedisServer(settings={"auto-aof-rewrite-percentage": "0"})


def _mongo() -> Server:
    return MongoServer(members=1, settings={"wiredTigerCacheSizeGB": 1, "oplogSize": 512})


def _postgres() -> Server:
    return PostgresServer(settings={"shared_buffers": "256MB", "max_wal_size": "4GB"})


def _mariadb() -> Server:
    sizes = {"innodb-buffer-pool-size": "512M", "innodb-log-file-size": "512M"}
    return MariaDbServer(settings=sizes)


_KINDS = (
    Kind(
        name="redis",
        title="Redis",
        write_target=0.6,
        durable="`appendfsync always`",
        start=_on(_redis),
        open_floor=RedisFloor.open,
        open_store=keyvalue.on_redis,
    ),
    Kind(
        name="mongo",
        title="MongoDB",
        write_target=0.6,
        durable="replica set of one, `w: majority, j: true`",
        start=_on(_mongo),
        open_floor=MongoFloor.open,
        open_store=keyvalue.on_mongo,
    ),
    Kind(
        name="sqlite",
        title="SQLite",
        write_target=0.5,
        durable="WAL, `synchronous=FULL`",
        start=folder_alone,
        open_floor=SqliteFloor.open,
        open_store=keyvalue.on_disk,
        open_synced_store=keyvalue.on_synced_disk,
        place="sqlite:{url}/ours.db",
    ),
    Kind(
        name="postgres",
        title="PostgreSQL",
        write_target=0.5,
        durable="`fsync` and `synchronous_commit` on",
        start=_on(_postgres),
        open_floor=PostgresFloor.open,
        open_store=keyvalue.on_postgres,
    ),
    Kind(
        name="mariadb",
        title="MariaDB",
        write_target=0.5,
        durable="`innodb_flush_log_at_trx_commit=1`",
        start=_on(_mariadb),
        open_floor=MariadbFloor.open,
    ),
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _KINDS}
