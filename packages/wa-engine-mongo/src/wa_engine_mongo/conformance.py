"""Hooks for the conformance suite: damage, silence and a look past the engine.

The suite finds them by the entry point group `wa.conformance`. `stall` stops the server's process,
which must be on this machine; `weak_places` starts servers of its own.
"""

from __future__ import annotations

import atexit
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pymongo.errors import PyMongoError
from wa_core.storage import Durability, Engine, EngineUrl

from wa_engine_mongo.faults import took_too_long
from wa_engine_mongo.head import LEASE_WAIT_MS
from wa_engine_mongo.keys import SessionKeys
from wa_engine_mongo.place import RECORDS, WRITERS, Place
from wa_engine_mongo.provider import OwnMongoEngine, database_of
from wa_engine_mongo.writers import Writers

WEAK: tuple[dict[str, str | bool], ...] = (
    {"nojournal": True},
    {"storageEngine": "ephemeralForTest"},
)
"""Settings under which nothing is sure to survive the server."""


class MongoHooks:
    """What only somebody who knows the layout can do to a session."""

    def __init__(self) -> None:
        self._stopped: list[int] = []
        self._places: list[tuple[str, Durability]] = []

    async def damage(self, engine: Engine, key: str) -> None:
        """Cut the value of a record in half, as a failing disk would."""
        async with _beside(engine) as (place, keys):
            records = place.database[RECORDS]
            found = await records.find_one({"_id": keys.id(key)})
            assert found is not None
            cut = found["v"][: len(found["v"]) // 2]
            await records.update_one({"_id": found["_id"]}, {"$set": {"v": cut}})

    async def stall(self, engine: Engine) -> None:
        """Stop the server, which runs on this machine, as a hung disk would."""
        async with _beside(engine) as (place, _):
            pid = int((await place.ask({"serverStatus": 1}))["pid"])
        self._stopped.append(pid)
        os.kill(pid, signal.SIGSTOP)

    async def resume(self, engine: Engine) -> None:
        """Let the server go on."""
        while self._stopped:
            os.kill(self._stopped.pop(), signal.SIGCONT)

    async def residue(self, engine: Engine) -> list[str]:
        """Name every document of the session, in every collection."""
        found = []
        async with _beside(engine) as (place, keys):
            for name in await place.database.list_collection_names():
                async for document in place.database[name].find({"s": keys.session}):
                    found.append(f"{name} {document['_id']!r} {document.get('pending')}")
        return sorted(found)

    async def pretend_newer(self, engine: Engine) -> None:
        """Raise the version in the head of a session."""
        async with _beside(engine) as (place, keys):
            records = place.database[RECORDS]
            await records.update_one({"_id": keys.head}, {"$inc": {"version": 1}})

    async def forget(self, url: str) -> None:
        """Remove the head of a session that the suite made."""
        parsed = EngineUrl.parse(url)
        keys = SessionKeys(parsed.session or "")
        if keys.session.startswith("conf-"):
            async with database_of(parsed) as place:
                await _removed(place, keys)

    def weak_places(self) -> list[tuple[str, Durability]]:
        """Start servers that are set up for less than power; they end with this process."""
        # Here, because only the suite itself calls this: an engine does not depend on it.
        from wa_conformance.servers import MongoServer

        if not self._places:
            for settings in WEAK:
                server = MongoServer(settings=settings).start()
                atexit.register(server.stop)
                self._places.append((server.url, Durability.VOLATILE))
        return self._places


async def _removed(place: Place, keys: SessionKeys) -> None:
    """Remove a session's documents, which a writer that was killed may still hold."""
    removals = [{"q": {"s": keys.session}, "limit": 0}]
    while True:
        try:
            await place.ask({"delete": RECORDS, "deletes": removals, "maxTimeMS": LEASE_WAIT_MS})
        except PyMongoError as exc:
            if not took_too_long(exc):
                raise
            await Writers(place, keys).wake()
            continue
        await place.ask({"delete": WRITERS, "deletes": removals})
        return


@asynccontextmanager
async def _beside(engine: Engine) -> AsyncIterator[tuple[Place, SessionKeys]]:
    """Connect to an engine's database past the engine, which may be closed."""
    assert isinstance(engine, OwnMongoEngine)
    async with database_of(engine.url) as place:
        yield place, engine.keys
