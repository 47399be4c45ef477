"""Writing and reading where the server has no transactions: a standalone mongod [W1, W5].

The idea: a batch is committed by one change of one document, the head, which from then on holds it.
It is carried out afterwards, by its writer or, should that be gone, by whoever comes next; readers
look at the head after they have read, and wait or read again if anything was on its way.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pymongo.errors import PyMongoError

from wa_engine_mongo.entries import (
    SLACK_MS,
    START_MS,
    Pending,
    copying,
    fresh_claim,
    parts_of,
    pending_of,
    removals,
)
from wa_engine_mongo.faults import took_too_long
from wa_engine_mongo.head import Head
from wa_engine_mongo.keys import SessionKeys
from wa_engine_mongo.place import JOURNAL, RECORDS, SAFE, UNSAFE, Name, Place
from wa_engine_mongo.plan import Plan
from wa_engine_mongo.records import Document

NO_HEAD = -1
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.001, 0.05
_ORPHANED = timedelta(days=1)
_BY_TOKEN = {"key": {"token": 1}, "name": "token"}
_indexed: set[Name] = set()
"""Where this process has made the index over the parts of large batches."""


class Journal:
    """The journal of one session."""

    def __init__(self, place: Place, keys: SessionKeys, head: Head) -> None:
        self._place = place
        self._keys = keys
        self._head = head
        self._known: int | None = None
        """The generation at which nothing was pending, when last looked."""
        self._entered = False

    async def enter(self) -> None:
        """Make what the first write needs, once."""
        if self._entered:
            return
        if not self._head.known:
            await self._head.ensure()
        if self._place.name not in _indexed:
            await self._place.ask({"createIndexes": JOURNAL, "indexes": [_BY_TOKEN], **UNSAFE})
            _indexed.add(self._place.name)
        # First what was committed, however long ago: its parts are no orphans.
        await self.settled()
        old = {"s": self._keys.session, "born": {"$lt": datetime.now(UTC) - _ORPHANED}}
        await self._place.ask({"delete": JOURNAL, "deletes": [{"q": old, "limit": 0}]})
        self._entered = True

    def know(self, generation: int | None) -> None:
        """Hear at which generation nothing is pending; None when something may be."""
        self._known = generation

    async def apply(self, plan: Plan, epoch: int | None) -> None:
        """Make a plan take effect as one; with `epoch`, only while that lease is current."""
        await self.enter()
        parts = parts_of(self._keys, plan)
        pending = pending_of(parts, plan)
        if pending.inline is None:
            await self._write_parts(pending, parts, plan)
        while not await self._committed(pending, plan.positions, epoch):
            look = await self._head.why_not(epoch)
            if look is not None and look.pending is None:
                self.know(look.generation)
        if not await self._carried_out(pending, pending.inline):
            await self.settled()

    async def read(self, commands: Sequence[Document]) -> list[Document]:
        """Return the rows that answer the commands, all of one generation."""
        known = self._known
        while True:
            if known is None:
                known = await self.settled()
            found: list[Document] = []
            for command in commands:
                found += await self._place.rows(command)
            now = await self._glance()
            if now == known:
                return found
            known = self._known = now

    async def settled(self) -> int:
        """Wait until nothing is pending, carrying out what others left; return the generation."""
        pause = _FIRST_PAUSE_S
        while True:
            look = await self._head.look()
            if look is None or look.pending is None:
                self._known = NO_HEAD if look is None else look.generation
                return self._known
            if look.claim_left > 0:
                await asyncio.sleep(min(random.uniform(pause / 2, pause), look.claim_left / 1000))
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            else:
                await self._take_over(look.pending, look.generation)

    async def _glance(self) -> int | None:
        """Return the generation, or None when a batch is pending."""
        wanted = {"generation": 1, "pending.token": 1}
        found = await self._place.rows(
            {"find": RECORDS, "filter": {"_id": self._keys.head}, "projection": wanted, "limit": 1}
        )
        if not found:
            return NO_HEAD
        return None if found[0].get("pending") else int(found[0]["generation"])

    async def _write_parts(self, pending: Pending, parts: list[Document], plan: Plan) -> None:
        parts[0]["everything"] = plan.everything
        common = {"s": self._keys.session, "token": pending.token, "born": datetime.now(UTC)}
        for number, part in enumerate(parts):
            identity = {"_id": f"{pending.token}/{number}"}
            await self._write({"insert": JOURNAL, "documents": [{**identity, **common, **part}]})

    async def _committed(self, pending: Pending, positions: int, epoch: int | None) -> bool:
        """Commit a batch, if nothing else has been since: this is its one moment."""
        known = self._known if self._known is not None else await self.settled()
        self._known = None
        command = self._head.turn(positions, epoch)
        command["query"]["generation"] = known
        stored = {
            "token": pending.token,
            "claim": pending.claim,
            "run": pending.run_ms,
            "inline": pending.inline is not None,
            "todo": pending.inline,
        }
        computed = {
            "first": {"$subtract": ["$clock", positions - 1]},
            "until": _until(pending.run_ms),
        }
        holding = {"$mergeObjects": [{"$literal": stored}, computed]}
        command["update"].append({"$set": {"pending": holding}})
        head: Document | None = (await self._place.write(command))["value"]
        pending.generation = known + 1
        return head is not None

    async def _take_over(self, token: str, generation: int) -> None:
        """Carry out a batch whose writer has let its time pass, with twice that time."""
        claim = fresh_claim()
        query = {
            "_id": self._keys.head,
            "generation": generation,
            "pending.token": token,
            "$expr": {"$lte": ["$pending.until", "$$NOW"]},
        }
        longer = {"$multiply": ["$pending.run", 2]}
        taken = {"pending.claim": {"$literal": claim}, "pending.run": longer}
        until = {"pending.until": _until("$pending.run")}
        command = {"findAndModify": RECORDS, "query": query, "new": True, "fields": {"pending": 1}}
        update = [{"$set": taken}, {"$set": until}]
        reply = await self._place.ask({**command, "update": update, **self._concern()})
        if reply["value"] is None:
            return
        found = reply["value"]["pending"]
        todo = found["todo"] if found["inline"] else None
        pending = Pending(token, generation, int(found["run"]), claim, todo)
        await self._carried_out(pending, todo)

    async def _carried_out(self, pending: Pending, todo: Document | None) -> bool:
        """Do what a committed batch says; False when the time for it was over."""
        try:
            return await self._done(pending, todo)
        except PyMongoError as exc:
            if took_too_long(exc):
                return False
            raise

    async def _done(self, pending: Pending, todo: Document | None) -> bool:
        begun = time.monotonic()
        for step in [todo] if todo is not None else await self._parts(pending.token):
            for command in removals(self._keys, step, pending.generation):
                await self._write(command)
        if (time.monotonic() - begun) * 1000 > START_MS / 2 and not await self._prolonged(pending):
            return False
        done: Document = {"_id": self._keys.head, "pending.claim": pending.claim}
        if todo is None or todo["puts"]:
            await self._write(copying(self._keys, pending))
            done["ran"] = pending.claim
        cleared = {"$set": {"pending": None}, "$unset": {"ran": ""}}
        reply = await self._write({"update": RECORDS, "updates": [{"q": done, "u": cleared}]})
        if reply["n"] == 0:
            return False
        self._known = pending.generation
        if todo is None:
            gone = {"q": {"token": pending.token}, "limit": 0}
            await self._write({"delete": JOURNAL, "deletes": [gone]})
        return True

    async def _parts(self, token: str) -> list[Document]:
        wanted = {"gone": 1, "everything": 1}
        return await self._place.rows(
            {"find": JOURNAL, "filter": {"token": token}, "projection": wanted}
        )

    async def _prolonged(self, pending: Pending) -> bool:
        """Take more time for a claim that nobody else has taken; nothing is copied under it yet."""
        query = {"_id": self._keys.head, "pending.claim": pending.claim}
        later = {"q": query, "u": [{"$set": {"pending.until": _until(pending.run_ms)}}]}
        reply = await self._write({"update": RECORDS, "updates": [later]})
        return bool(reply["n"])

    async def _write(self, command: Document) -> Document:
        return await self._place.ask({**command, **self._concern()})

    def _concern(self) -> Document:
        # The log is written in order: what hangs on a committed batch need not wait for the disk.
        concern = SAFE.document if self._place.transactions else {"w": 1}
        return {"writeConcern": concern}


def _until(run_ms: int | str) -> Document:
    return {"$add": ["$$NOW", START_MS + SLACK_MS, run_ms]}
