"""Who may have a transaction open on a session, so that a stopped process holds nobody up.

The idea: a writer's transactions all run under one server session, which is written down before the
first of them. Whoever waits for the head too long looks there, and ends the transactions that are
open and asleep; their owner finds its commit refused, and begins anew if it is still there.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bson.binary import Binary
from pymongo.errors import OperationFailure

from wa_engine_mongo.faults import UNAUTHORIZED
from wa_engine_mongo.keys import SessionKeys
from wa_engine_mongo.place import WRITERS, Place

ASLEEP_S = 1.0
"""A transaction in which nothing happens for so long is left by its owner."""
_KEPT = timedelta(days=30)


class Writers:
    """The writers of one session."""

    def __init__(self, place: Place, keys: SessionKeys) -> None:
        self._place = place
        self._keys = keys

    async def enter(self, writer: Binary) -> None:
        """Write a writer down, and forget those of long ago."""
        now = datetime.now(UTC)
        await self._place.write(
            {
                "update": WRITERS,
                "updates": [
                    {
                        "q": {"_id": writer},
                        "u": {"s": self._keys.session, "since": now},
                        "upsert": True,
                    }
                ],
            }
        )
        old = {"s": self._keys.session, "since": {"$lt": now - _KEPT}}
        await self._place.ask({"delete": WRITERS, "deletes": [{"q": old, "limit": 0}]})

    async def leave(self, writer: Binary) -> None:
        """Forget a writer that has closed."""
        gone = {"q": {"_id": writer}, "limit": 1}
        await self._place.ask({"delete": WRITERS, "deletes": [gone]})

    async def wake(self) -> None:
        """End the transactions of this session's writers that are asleep."""
        listed = await self._place.rows({"find": WRITERS, "filter": {"s": self._keys.session}})
        mine = {"lsid.id": {"$in": [writer["_id"] for writer in listed]}, "active": False}
        asleep = {"transaction.timeInactiveMicros": {"$gt": int(ASLEEP_S * 1e6)}}
        admin = self._place.database.client.admin
        try:
            found = await admin.aggregate(
                [{"$currentOp": {"idleSessions": True}}, {"$match": {**mine, **asleep}}]
            )
            held = [{"id": operation["lsid"]["id"]} async for operation in found]
            if held:
                await admin.command({"killSessions": held})
        except OperationFailure as exc:
            if exc.code not in UNAUTHORIZED:
                raise
            # Not allowed to: then the server's own limit, a minute, ends them.
