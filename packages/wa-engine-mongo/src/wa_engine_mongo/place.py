"""The database that sessions live in: what kind of server it is, and how it is asked.

One collection holds the records of all sessions, and each session's head among them, so that with
`s` as the shard key a session is on one shard and its transactions need no second one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from bson.codec_options import CodecOptions
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import AutoReconnect, NetworkTimeout, OperationFailure
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern
from wa_core.errors import EngineConfigError, EngineUnavailableError

from wa_engine_mongo.faults import NO_JOURNAL, UNAUTHORIZED
from wa_engine_mongo.records import PAGE_INDEX, Document

RECORDS = "wa_records"
WRITERS = "wa_writers"
JOURNAL = "wa_journal"
SAFE = WriteConcern(w="majority", j=True)
"""On the disk of a majority: what every write of ours waits for [W2, D2]."""
UNSAFE: Document = {"writeConcern": {"w": 1}}
"""For what need not last: it goes without the wait for a disk."""
INDEX: Document = {"key": dict(PAGE_INDEX), "name": "page"}
OLDEST_WIRE = 13
"""MongoDB 5.0, the first with snapshot reads outside of transactions."""

Name = tuple[object, str]
_built: set[Name] = set()
"""The places that this process has surveyed and built: a bot opens many sessions in one."""


class Place:
    """A database, asked by plain commands: primary only, whatever its owner set up."""

    def __init__(self, database: AsyncDatabase[Any]) -> None:
        self.database: AsyncDatabase[Document] = database.with_options(
            codec_options=CodecOptions(tz_aware=True), read_preference=ReadPreference.PRIMARY
        )
        self.transactions = False
        """Known after `greet`: a replica set or a sharded cluster."""
        self._process: object = None
        """Which run of which server greeted."""

    @property
    def election(self) -> object:
        """What changes when another member becomes primary; None where the driver cannot tell."""
        return self.database.client.topology_description.max_election_id

    async def ask(
        self, command: Mapping[str, Any], *, session: AsyncClientSession | None = None
    ) -> Document:
        """Send one command and return its reply; what failed in it in part is an error too."""
        reply: Document = await self.database.command(dict(command), session=session)
        failed = [*reply.get("writeErrors", ()), reply.get("writeConcernError")][0]
        if failed:
            raise OperationFailure("a write failed", failed.get("code"))
        return reply

    async def write(self, command: Mapping[str, Any]) -> Document:
        """Send a write outside of a transaction, and wait until it is on disk."""
        return await self.ask({**command, "writeConcern": SAFE.document})

    async def rows(self, command: Mapping[str, Any]) -> list[Document]:
        """Send a command that answers with rows, and return them all."""
        try:
            return await self._rows(command)
        except NetworkTimeout:
            raise
        except AutoReconnect:
            # A pooled connection may have died long ago; a read may be asked again.
            return await self._rows(command)

    async def _rows(self, command: Mapping[str, Any]) -> list[Document]:
        async with await self.database.cursor_command(dict(command)) as cursor:
            return await cursor.to_list()

    async def greet(self, *, read_only: bool) -> None:
        """Hear what the server is."""
        hello = await self.ask({"hello": 1})
        if hello.get("maxWireVersion", 0) < OLDEST_WIRE:
            raise EngineConfigError("MongoDB version", "5.0 or newer is needed: upgrade the server")
        if not read_only and not hello.get("isWritablePrimary", False):
            raise EngineUnavailableError("this member is not the primary")
        self.transactions = "setName" in hello or hello.get("msg") == "isdbgrid"
        self._process = hello.get("topologyVersion", {}).get("processId", uuid4())

    async def survey(self, *, known: bool, read_only: bool) -> None:
        """Look at how the server is set up [D2], and make what is not there.

        Where the session is known, only what can have changed since is looked at: a member of a
        replica set cannot run without its journal, and what keeps nothing would not know it.
        """
        if not known and await self._is_made():
            return
        if not known:
            await self.check_storage()
            await self._check_collation()
        if not read_only and not (known and self.transactions):
            await self._build()
            _built.add(self.name)

    @property
    def name(self) -> Name:
        """What tells this database in this run of its server from every other."""
        return (self._process, self.database.name)

    async def _is_made(self) -> bool:
        """Tell whether what this process has built here before is still there, and build it."""
        if self.name not in _built:
            return False
        found = await self.ask({"createIndexes": RECORDS, "indexes": [INDEX], **UNSAFE})
        return "numIndexesAfter" in found and found["numIndexesBefore"] == found["numIndexesAfter"]

    async def check_storage(self) -> None:
        """Refuse a server that keeps nothing on disk [D2]."""
        try:
            status = await self.ask({"serverStatus": 1, "repl": 0, "metrics": 0, "locks": 0})
        except OperationFailure as exc:
            if exc.code in UNAUTHORIZED:
                return  # Then `j: true` is what tells: a server without a journal refuses it.
            raise
        engine = status.get("storageEngine", {})
        if not engine.get("persistent", True):
            raise EngineConfigError(
                "storage.engine", f"{engine.get('name')} keeps nothing on disk: use wiredTiger"
            )

    async def _check_collation(self) -> None:
        found = await self.rows(
            {"listCollections": 1, "filter": {"name": RECORDS}, "authorizedCollections": True}
        )
        if any("collation" in collection.get("options", {}) for collection in found):
            raise EngineConfigError(
                f"collation of {RECORDS}",
                "it takes different keys for equal: use a database where the engine makes it",
            )

    async def _build(self) -> None:
        try:
            await self.write({"createIndexes": RECORDS, "indexes": [INDEX]})
        except OperationFailure as exc:
            if exc.code == NO_JOURNAL:
                raise EngineConfigError(
                    "storage.journal.enabled", "the server runs without its journal: enable it"
                ) from None
            raise
