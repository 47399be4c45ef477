"""Writing where the server has transactions: replica sets and sharded clusters [W1].

The idea: the records, then the head with the fence, then the commit; so a process that was stopped
before the end is refused there, and of two writers one begins anew. That one, and whoever knows no
positions to propose, asks the head first. All transactions of an engine run under one server
session, whose numbers only grow: the server refuses what arrives late.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator

from bson.binary import Binary
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import PyMongoError
from wa_core.errors import FencedError

from wa_engine_mongo.faults import is_squeezed, is_transient, is_unknown
from wa_engine_mongo.forecast import Forecast, now_us
from wa_engine_mongo.head import Head
from wa_engine_mongo.journal import Journal
from wa_engine_mongo.keys import SessionKeys
from wa_engine_mongo.place import RECORDS, SAFE, Place
from wa_engine_mongo.plan import Plan
from wa_engine_mongo.records import Document, document
from wa_engine_mongo.writers import Writers

COMMAND_BYTES = 10 * 1024 * 1024
"""What goes into one command, of the 16 MB that a server takes."""
COMMAND_STATEMENTS = 5_000
ABORT_S = 1.0
SQUEEZES = 4
"""How often the server's cache may have no room for a transaction before it is too small."""
WAKE_S = 0.15
"""After so long in vain, and again each time, see whether the one who holds the head is there."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.002, 0.1


class Transactions:
    """The writes of one engine, one at a time."""

    def __init__(self, place: Place, keys: SessionKeys, head: Head, journal: Journal) -> None:
        self._place = place
        self._keys = keys
        self._head = head
        self._journal = journal
        """Where a standalone server that has become a replica set may have left a batch."""
        self._writers = Writers(place, keys)
        self._forecast = Forecast()
        self._entering = asyncio.Lock()
        self._session: AsyncClientSession | None = None

    async def enter(self) -> AsyncClientSession:
        """Begin the server session of all transactions, and write it down, once."""
        async with self._entering:
            if self._session is None:
                session = self._place.database.client.start_session(causal_consistency=False)
                try:
                    await self._writers.enter(_name_of(session))
                    if not self._head.known:
                        await self._head.ensure()
                except BaseException:
                    await session.end_session()
                    raise
                self._session = session
            return self._session

    async def apply(self, plan: Plan, epoch: int | None) -> None:
        """Make a plan take effect as one; with `epoch`, only while that lease is current."""
        session = await self.enter()
        begun, pause = time.monotonic(), _FIRST_PAUSE_S
        first = self._forecast.propose()
        room = SQUEEZES
        while True:
            try:
                if await self._tried(session, plan, epoch, first):
                    return
            except PyMongoError as exc:
                room -= 1
                if not is_squeezed(exc) or not room:
                    raise
            first = None
            await asyncio.sleep(random.uniform(0, pause))
            pause = min(2 * pause, _LONGEST_PAUSE_S)
            if time.monotonic() - begun > WAKE_S:
                begun = time.monotonic()
                await self._writers.wake()

    async def wake(self) -> None:
        """End the transactions of others that are asleep."""
        await self._writers.wake()

    async def close(self, patience: float) -> None:
        """Let go of the server session; that a silent server does not hear of it is no harm."""
        session, self._session = self._session, None
        if session is None:
            return
        try:
            async with asyncio.timeout(patience):
                await self._writers.leave(_name_of(session))
                await session.end_session()
        except (TimeoutError, PyMongoError):
            return

    async def _tried(
        self, session: AsyncClientSession, plan: Plan, epoch: int | None, first: int | None
    ) -> bool:
        try:
            await session.start_transaction(write_concern=SAFE)
            if first is None:
                written = await self._written(session, plan, epoch)
            else:
                written = await self._proposed(session, plan, epoch, first)
            if written:
                await self._committed(session)
            return written
        except PyMongoError as exc:
            if is_transient(exc):
                return False
            raise
        finally:
            if session.in_transaction:
                await _abandon(session)

    async def _proposed(
        self, session: AsyncClientSession, plan: Plan, epoch: int | None, first: int
    ) -> bool:
        """Write the records, and with the last of them the head: the fewest round trips."""
        steps = list(commands(self._keys, plan, first))
        if plan.puts or epoch is not None:
            if not plan.puts:
                steps.append({"update": RECORDS, "updates": []})
            steps[-1]["updates"].append(self._head.following(first, plan.positions, epoch))
        for step in steps:
            reply = await self._place.ask(step, session=session)
            if "updates" in step and reply["n"] != len(step["updates"]):
                self._forecast.forget()
                return False
        self._forecast.gave(first + plan.positions - 1)
        return True

    async def _written(self, session: AsyncClientSession, plan: Plan, epoch: int | None) -> bool:
        """Ask the head for positions, write the records, and look at the fence once more."""
        asked_us = now_us()
        reply = await self._place.ask(self._head.turn(plan.positions, epoch), session=session)
        head: Document | None = reply["value"]
        if head is None:
            await _abandon(session)
            look = await self._head.why_not(epoch)
            if look is not None and look.pending is not None:
                await self._journal.settled()
            return False
        self._forecast.learn(head["seen"], asked_us, head["clock"])
        for command in commands(self._keys, plan, head["clock"] - plan.positions + 1):
            await self._place.ask(command, session=session)
        if epoch is not None:
            still = {"find": RECORDS, "filter": self._head.fence(epoch), "limit": 1}
            reply = await self._place.ask({**still, "projection": {"_id": 1}}, session=session)
            if not reply["cursor"]["firstBatch"]:
                raise FencedError(epoch)
        return True

    async def _committed(self, session: AsyncClientSession) -> None:
        while True:
            try:
                return await session.commit_transaction()
            except PyMongoError as exc:
                if not is_unknown(exc):
                    raise
            # Asked again, the server says how it ended. The engine's timeout ends this.
            await asyncio.sleep(random.uniform(0, _LONGEST_PAUSE_S))


def commands(keys: SessionKeys, plan: Plan, first: int) -> Iterator[Document]:
    """Write the commands that change the records; positions are counted from `first`."""
    removals = list(_removals(keys, plan))
    for at in range(0, len(removals), COMMAND_STATEMENTS):
        chunk = removals[at : at + COMMAND_STATEMENTS]
        yield {"delete": RECORDS, "deletes": chunk, "ordered": False}
    for updates in _grouped(keys, plan, first):
        yield {"update": RECORDS, "updates": updates, "ordered": False}


def _removals(keys: SessionKeys, plan: Plan) -> Iterator[Document]:
    if plan.everything:
        yield {"q": {"_id": keys.all}, "limit": 0}
    for key in plan.gone:
        yield {"q": {"_id": keys.id(key)}, "limit": 1}
        yield {"q": {"_id": keys.below(key)}, "limit": 0}


def _grouped(keys: SessionKeys, plan: Plan, first: int) -> Iterator[list[Document]]:
    group: list[Document] = []
    size = 0
    for put in plan.puts:
        cost = len(put.value) + 20 * len(put.key) + 200
        if group and (size + cost > COMMAND_BYTES or len(group) == COMMAND_STATEMENTS):
            yield group
            group, size = [], 0
        found = document(keys, put.key, put.value)
        found["at"] = first + put.turn if put.at is None else put.at
        group.append({"q": {"_id": found["_id"]}, "u": found, "upsert": True})
        size += cost
    if group:
        yield group


async def _abandon(session: AsyncClientSession) -> None:
    """End a transaction; if the server is silent, the next one under this session ends it."""
    try:
        async with asyncio.timeout(ABORT_S):
            await session.abort_transaction()
    except TimeoutError:
        return


def _name_of(session: AsyncClientSession) -> Binary:
    name: Binary = session.session_id["id"]
    return name
