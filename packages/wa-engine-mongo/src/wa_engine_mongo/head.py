"""The head of a session: one document with its clock, its lease, its version and its generation.

The idea: every write of the session changes the head, so two writes never pass each other
unnoticed; and what is decided by time is decided by the server's, inside the same statement [L2].
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any

from wa_core.errors import FencedError, LeaseHeldError, StoreVersionError
from wa_core.storage import CONTRACT_VERSION, Holder

from wa_engine_mongo.forecast import acceptable
from wa_engine_mongo.keys import SessionKeys
from wa_engine_mongo.place import RECORDS, Place
from wa_engine_mongo.records import Document

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_NOW_US = {"$multiply": [{"$add": [{"$toLong": "$$NOW"}, 1]}, 1000]}
"""The server tells milliseconds, cut off: the next one is no earlier than its clock [O1]."""
_NEXT = {"$add": ["$generation", 1]}
LEASE_WAIT_MS = 300
"""How long the server may let a lease wait for a transaction that holds the head."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the head says now; times in milliseconds from now, by the server's clock."""

    version: int
    generation: int
    epoch: int
    holder: str
    lease_left: float
    pending: str | None
    """The token of a batch that is committed and not yet in its place (standalone servers)."""
    claim_left: float


@dataclass(frozen=True, slots=True)
class Granted:
    """A lease that was given out."""

    epoch: int
    generation: int | None
    """The generation of the session, unless a batch was pending."""


class Head:
    """A session's head."""

    def __init__(self, place: Place, keys: SessionKeys) -> None:
        self._place = place
        self._keys = keys
        self.known = False
        """Whether there was a head when last looked: it is not removed."""

    async def look(self) -> Look | None:
        """Read the head; None before the first write."""
        found = await self._place.rows(
            {
                "aggregate": RECORDS,
                "pipeline": [{"$match": {"_id": self._keys.head}}, {"$project": _LOOK}],
                "cursor": {},
            }
        )
        return _look(found[0]) if found else None

    async def check_version(self) -> Look | None:
        """Refuse what a newer contract wrote [N3], and return what the head says."""
        look = await self.look()
        if look is not None and look.version > CONTRACT_VERSION:
            raise StoreVersionError(look.version, CONTRACT_VERSION)
        self.known = look is not None
        return look

    async def ensure(self) -> None:
        """Make the head, if it is not there."""
        await self._place.write(
            {
                "update": RECORDS,
                "updates": [
                    {
                        "q": {"_id": self._keys.head},
                        "u": {"$setOnInsert": {"s": self._keys.session, **_FIRST}},
                        "upsert": True,
                    }
                ],
            }
        )
        self.known = True

    def turn(self, positions: int, epoch: int | None) -> Document:
        """Write the command that begins a transaction: fence, version and clock in one step."""
        clock = {"$max": [_NOW_US, {"$add": ["$clock", 1]}]}
        changed: Document = {"generation": _NEXT, "seen": "$$NOW"}
        if positions:
            changed["clock"] = {"$add": [clock, positions - 1]}
        return self._changing({"pending": None, **self.fence(epoch)}, changed)

    def following(self, first: int, positions: int, epoch: int | None) -> Document:
        """Write the statement that ends a transaction whose positions were proposed."""
        changed: Document = {"generation": _NEXT}
        conditions = [{"pending": None}, self.fence(epoch)]
        if positions:
            changed["clock"] = first + positions - 1
            conditions.append(acceptable(first))
        return {"q": {"_id": self._keys.head, "$and": conditions}, "u": [{"$set": changed}]}

    def fence(self, epoch: int | None) -> Document:
        """Write the condition that the head is ours to change [L3, N3]."""
        ours: Document = {"_id": self._keys.head, "version": CONTRACT_VERSION}
        if epoch is not None:
            ours |= {"epoch": epoch, "$expr": {"$gt": ["$expires", "$$NOW"]}}
        return ours

    async def why_not(self, epoch: int | None) -> Look | None:
        """Raise what kept a write from taking its turn, or return what may."""
        look = await self.check_version()
        if look is None:
            await self.ensure()
        if epoch is not None and (look is None or look.epoch != epoch or look.lease_left <= 0):
            raise FencedError(epoch)
        return look

    async def grant(self, holder: str, ttl: float) -> Granted | None:
        """Give the lease out; None when there is no head yet, or after a race."""
        free = {"$expr": {"$lte": ["$expires", "$$NOW"]}, **self.fence(None)}
        changed = {
            "epoch": {"$add": ["$epoch", 1]},
            "holder": {"$literal": holder},
            "expires": _after(ttl),
        }
        head = await self._change(free, changed)
        if head is not None:
            pending = bool(head.get("pending"))
            return Granted(head["epoch"], None if pending else head["generation"])
        held = await self.holder()
        if held is not None:
            raise LeaseHeldError(held.name, held.expires_in or 0.0)
        await self.why_not(None)
        return None

    async def holder(self) -> Holder | None:
        """Tell who holds the lease."""
        look = await self.look()
        if look is None or look.lease_left <= 0:
            return None
        return Holder(look.holder, look.lease_left / 1000)

    async def renew(self, epoch: int, ttl: float) -> None:
        """Prolong the lease of `epoch`, or raise `FencedError`."""
        if await self._change(self.fence(epoch), {"expires": _after(ttl)}) is None:
            raise FencedError(epoch)

    async def release(self, epoch: int) -> None:
        """End the lease of `epoch` if it is the last one given."""
        await self._change({**self.fence(None), "epoch": epoch}, {"expires": _LONG_AGO})

    async def _change(self, query: Document, changed: Document) -> Document | None:
        command = {**self._changing(query, changed), "maxTimeMS": LEASE_WAIT_MS}
        reply = await self._place.write(command)
        found: Document | None = reply["value"]
        return found

    def _changing(self, query: Document, changed: Document) -> Document:
        return {
            "findAndModify": RECORDS,
            "query": query,
            "update": [{"$set": changed}],
            "new": True,
            "fields": {"clock": 1, "epoch": 1, "seen": 1, "generation": 1, "pending.token": 1},
        }


_FIRST: Document = {
    "version": CONTRACT_VERSION,
    "generation": 0,
    "clock": 0,
    "epoch": 0,
    "holder": "",
    "expires": _LONG_AGO,
    "pending": None,
}
_LOOK: Document = {
    "version": 1,
    "generation": 1,
    "epoch": 1,
    "holder": 1,
    "pending": {"token": 1},
    "lease": {"$subtract": ["$expires", "$$NOW"]},
    "claim": {"$subtract": ["$pending.until", "$$NOW"]},
}


def _after(seconds: float) -> Document:
    return {"$add": ["$$NOW", ceil(seconds * 1000)]}


def _look(found: Document) -> Look:
    pending: Any = found.get("pending")
    return Look(
        version=found["version"],
        generation=found["generation"],
        epoch=found["epoch"],
        holder=found["holder"],
        lease_left=found["lease"],
        pending=pending["token"] if pending else None,
        claim_left=found.get("claim") or 0,
    )
