"""Who may have a transaction open on a session, so that a stopped process holds nobody up.

The idea: a writer's transactions all run under one server session, which is written down before the
first of them. Whoever waits for the head too long looks there, and ends the transactions that are
left: asleep, or without a connection. An owner that wakes up finds its commit refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bson.binary import Binary
from pymongo.errors import OperationFailure

from wa_engine_mongo.faults import UNAUTHORIZED
from wa_engine_mongo.keys import SessionKeys
from wa_engine_mongo.place import UNSAFE, WRITERS, Name, Place
from wa_engine_mongo.records import Document

ASLEEP_S = 1.0
"""A transaction in which nothing happens for so long has an owner that sleeps."""
GONE_S = 0.02
"""One whose connection is closed as well has none."""
_BY_SESSION = {"key": {"s": 1}, "name": "session"}
_KEPT = timedelta(days=30)
_tidy: set[Name] = set()
"""Where this process has found the writers of long ago forgotten."""


class Writers:
    """The writers of one session."""

    def __init__(self, place: Place, keys: SessionKeys) -> None:
        self._place = place
        self._keys = keys

    async def enter(self, writer: Binary) -> None:
        """Write a writer down, and forget those of long ago.

        Not to last: with it goes the transaction, or else the commit makes it last.
        """
        now = datetime.now(UTC)
        await self._tidied(now)
        await self._place.ask(
            {
                "update": WRITERS,
                "updates": [
                    {
                        "q": {"_id": writer},
                        "u": {"s": self._keys.session, "since": now},
                        "upsert": True,
                    }
                ],
                **UNSAFE,
            }
        )

    async def leave(self, writer: Binary) -> None:
        """Forget a writer that has closed."""
        gone = {"q": {"_id": writer}, "limit": 1}
        await self._place.ask({"delete": WRITERS, "deletes": [gone], **UNSAFE})

    async def _tidied(self, now: datetime) -> None:
        if self._place.name in _tidy:
            return
        await self._place.ask({"createIndexes": WRITERS, "indexes": [_BY_SESSION], **UNSAFE})
        old = {"since": {"$lt": now - _KEPT}}
        await self._place.ask({"delete": WRITERS, "deletes": [{"q": old, "limit": 0}], **UNSAFE})
        _tidy.add(self._place.name)

    async def wake(self) -> None:
        """End the transactions of this session's writers that nobody will come back to."""
        listed = await self._place.rows({"find": WRITERS, "filter": {"s": self._keys.session}})
        writers = [writer["_id"] for writer in listed]
        admin = self._place.database.client.admin
        try:
            async with await admin.aggregate(_open_or_alive(writers)) as cursor:
                found = await cursor.to_list()
            held = [{"id": name} for name in _left(found)]
            if held:
                await admin.command({"killSessions": held})
        except OperationFailure as exc:
            if exc.code not in UNAUTHORIZED:
                raise
            # Not allowed to: then the server's own limit, a minute, ends them.


def _open_or_alive(writers: list[Binary]) -> list[Document]:
    """Ask for the idle transactions of some writers, and for all connections there are."""
    idle = {"lsid.id": {"$in": writers}, "active": False, "transaction": {"$exists": True}}
    return [
        {"$currentOp": {"idleSessions": True, "idleConnections": True}},
        {"$match": {"$or": [idle, {"type": "op"}]}},
        {"$project": {"type": 1, "connectionId": 1, "shard": 1, "lsid": 1, "transaction": 1}},
    ]


def _left(found: list[Document]) -> Iterator[Binary]:
    """Name the server sessions whose transaction is asleep, or whose connection is gone."""
    alive = {each.get("connectionId") for each in found if each["type"] == "op"}
    for each in found:
        if each["type"] != "idleSession":
            continue
        idle_s = each["transaction"]["timeInactiveMicros"] / 1e6
        # A sharded cluster names the connections between its own parts: they tell nothing.
        gone = "shard" not in each and each.get("connectionId") not in alive
        if idle_s > (GONE_S if gone else ASLEEP_S):
            yield each["lsid"]["id"]
