"""`mongodb:`, `mongodb+srv:` and `mongo:` URLs: from a place to an open engine [U2, U3].

Every part of the URL goes to the driver: hosts, user, database, TLS. Short forms get what is
missing: `mongo:HOST/DB` is `mongodb://HOST/DB`, and the database is `wa` where none is named.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, unquote

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError
from wa_core.errors import EngineConfigError, EngineUnavailableError, InvalidUrlError
from wa_core.storage import (
    DEFAULT_TIMEOUT_S,
    Capabilities,
    Durability,
    Engine,
    EngineUrl,
    Provider,
)

from wa_engine_mongo import reading
from wa_engine_mongo.engine import FAREWELL_S, MongoEngine
from wa_engine_mongo.faults import mongo_errors
from wa_engine_mongo.keys import check_session
from wa_engine_mongo.parameters import driver_parameters, driver_refusals
from wa_engine_mongo.place import Place
from wa_engine_mongo.records import Document

DEFAULT_DATABASE = "wa"
DEFAULT_SESSION = "default"
BOUNDS = ("serverSelectionTimeoutMS", "connectTimeoutMS", "socketTimeoutMS")
"""What the driver waits for: not much longer than the engine does, unless the URL says so."""
SOCKETS_S = 1.0
"""How long closing the sockets of a client may take, which needs no answer but a free processor."""
OPENING_S = 2.0
"""Opening is many steps, and may take so long even where each call has less."""

Client = AsyncMongoClient[Document]


class Surveying(Protocol):
    """An engine that looks at its server when it is opened."""

    async def survey(self) -> None:
        """Look at the server, and refuse what cannot keep its promise."""

    async def close(self) -> None:
        """Let go of the server."""


Opening = TypeVar("Opening", bound=Surveying)


class OwnMongoEngine(MongoEngine):
    """An engine that made its client, and closes it."""

    def __init__(self, url: EngineUrl, **options: Any) -> None:
        self.url = url
        self._client, database = connect(url, options["timeout"])
        super().__init__(self._client[database], **options)

    async def _close(self) -> None:
        try:
            await super()._close()
        finally:
            await let_go(self._client, min(FAREWELL_S, self.timeout / 8))


class MongoProvider(Provider):
    """Opens sessions in databases."""

    best = Capabilities(durability=Durability.POWER, shared=True)

    async def open(self, url: EngineUrl, *, read_only: bool = False) -> Engine:
        """Open a session: the server is looked at, and what it cannot promise is refused."""
        timeout = url.timeout or DEFAULT_TIMEOUT_S
        if url.durability not in (None, Durability.POWER):
            raise EngineConfigError(
                f"durability={url.durability}",
                "MongoDB writes are on disk or lost: it offers power",
            )
        session = check_session(DEFAULT_SESSION if url.session is None else url.session)
        engine = OwnMongoEngine(url, session=session, timeout=timeout, read_only=read_only)
        return await surveyed(engine, timeout)

    async def list_sessions(self, url: EngineUrl) -> list[str]:
        """Name the sessions of a database that hold a record."""
        async with database_of(url) as place:
            found = await place.rows(reading.sessions())
        return [row["_id"] for row in found]


async def surveyed(engine: Opening, timeout: float) -> Opening:
    """Let an engine look at its server; one that does not get to see it is closed again."""
    patience = max(timeout, OPENING_S)
    try:
        async with asyncio.timeout(patience):
            await engine.survey()
    except BaseException as exc:
        await engine.close()
        if isinstance(exc, TimeoutError):
            raise EngineUnavailableError(f"no answer within {patience:g} s") from exc
        raise
    return engine


def connect(url: EngineUrl, timeout: float) -> tuple[Client, str]:
    """Make a client for a URL, which connects when it is asked first; and name its database."""
    passed = driver_parameters(url)
    place = url.place.removeprefix("//")
    hosts, _, path = place.rpartition("@")[2].partition("/")
    database = unquote(path) or DEFAULT_DATABASE
    if not hosts or "/" in path:
        raise InvalidUrlError("mongodb URL", "it names a host, as in mongodb://HOST/DATABASE")
    scheme = "mongodb+srv" if url.scheme == "mongodb+srv" else "mongodb"
    query = "&".join(f"{name}={quote(value, safe=':,')}" for name, value in passed.items())
    patience = int(max(timeout, OPENING_S) * 1000)
    given = {name.lower() for name in passed}
    bounds: dict[str, Any] = {name: patience for name in BOUNDS if name.lower() not in given}
    text = f"{scheme}://{place}{'' if '/' in place else '/'}{'?' + query if query else ''}"
    with driver_refusals("the driver cannot read it"):
        client: Client = AsyncMongoClient(text, **bounds)
        client.get_database(database)
    return client, database


@asynccontextmanager
async def database_of(url: EngineUrl) -> AsyncIterator[Place]:
    """Connect to the database of a URL for a while."""
    timeout = url.timeout or DEFAULT_TIMEOUT_S
    client, database = connect(url, timeout)
    try:
        async with asyncio.timeout(timeout):
            with mongo_errors():
                yield Place(client[database])
    except TimeoutError as exc:
        raise EngineUnavailableError(f"no answer within {timeout:g} s") from exc
    finally:
        await let_go(client, min(FAREWELL_S, timeout / 8))


async def let_go(client: Client, patience: float) -> None:
    """Close a client within about `patience`, also when the server no longer answers."""
    # What has waited in vain is given up, and not tried again: the farewell of its sessions, then
    # of its cursors; closing the sockets waits for nobody. Their tasks end by themselves.
    for seconds in (patience / 2, patience / 2, SOCKETS_S):
        try:
            async with asyncio.timeout(seconds):
                return await client.close()
        except (TimeoutError, PyMongoError):
            continue
