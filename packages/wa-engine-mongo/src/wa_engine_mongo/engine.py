"""The MongoDB engine: one session in a database, one document per key.

Where the server has transactions a batch is one of them (`transactions`) and reads are snapshots
(`snapshots`); a standalone server gets the same promises from a journal (`journal`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError
from wa_core.storage import (
    DEFAULT_TIMEOUT_S,
    MIN_MAX_VALUE,
    WRAPPING,
    Capabilities,
    Durability,
    Engine,
    Entry,
    Holder,
    Lease,
    Operation,
)

from wa_engine_mongo import reading
from wa_engine_mongo.errands import Errands
from wa_engine_mongo.faults import mongo_errors, took_too_long
from wa_engine_mongo.head import Head
from wa_engine_mongo.journal import Journal
from wa_engine_mongo.keys import SessionKeys
from wa_engine_mongo.place import Place
from wa_engine_mongo.plan import Plan, planned
from wa_engine_mongo.records import entry_of, value_of
from wa_engine_mongo.snapshots import Reader, Snapshots
from wa_engine_mongo.transactions import Transactions

FAREWELL_S = 1.0
"""How long closing may take to tell the server, which will find out by itself."""

T = TypeVar("T")


class MongoEngine(Engine):
    """A session in `database`; whoever made its client closes it."""

    orders_applies = True

    def __init__(
        self,
        database: AsyncDatabase[Any],
        *,
        session: str = "default",
        timeout: float = DEFAULT_TIMEOUT_S,
        read_only: bool = False,
    ) -> None:
        promised = Capabilities(
            durability=Durability.POWER,
            shared=True,
            max_value=MIN_MAX_VALUE + WRAPPING,
            read_only=read_only,
        )
        super().__init__(promised, timeout=timeout)
        self.place = Place(database)
        self.keys = SessionKeys(session)
        self._head = Head(self.place, self.keys)
        self._journal = Journal(self.place, self.keys, self._head)
        self._transactions = Transactions(self.place, self.keys, self._head, self._journal)
        self._reader: Reader = self._journal
        self._errands = Errands(timeout)
        self._surveying = asyncio.Lock()
        self._surveyed = False

    async def survey(self) -> None:
        """Look at the server and at the session's version, once [D2, N3]."""
        if self._surveyed:
            return
        async with self._surveying:
            if self._surveyed:
                return
            with mongo_errors():
                read_only = self.capabilities.read_only
                await self.place.greet(read_only=read_only)
                head = await self._head.check_version()
                await self.place.survey(known=head is not None, read_only=read_only)
                if self.place.transactions:
                    self._reader = Snapshots(self.place, self.keys)
                    if head is not None and head.pending is not None and not read_only:
                        # Left from a time when this server had no transactions.
                        await self._journal.settled()
            self._surveyed = True

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        await self.survey()
        size = reading.KEYS_AT_ONCE
        chunks = [keys[at : at + size] for at in range(0, len(keys), size)]
        with mongo_errors():
            found = await self._reader.read([reading.values(self.keys, some) for some in chunks])
        named = ((self.keys.key(record["_id"]), record) for record in found)
        return {key: value_of(key, record) for key, record in named}

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        await self.survey()
        with mongo_errors():
            rows = await self._reader.read([reading.page(self.keys, prefix, offset, limit)])
        return [row["k"] for row in rows]

    async def _count(self, prefix: str) -> int:
        await self.survey()
        with mongo_errors():
            rows = await self._reader.read([reading.count(self.keys, prefix)])
        return int(rows[0]["n"]) if rows else 0

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        await self.survey()
        after: str | None = None
        while True:
            with mongo_errors():
                rows = await self._reader.read([reading.stretch(self.keys, prefix, after)])
            for row in rows:
                yield entry_of(self.keys, row)
            if not rows:
                return
            after = self.keys.key(rows[-1]["_id"])

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        plan, epoch = planned(operations), None if fence is None else fence.epoch
        await self._errands.run(lambda: self._write(plan, epoch))

    async def _clear(self) -> None:
        await self._errands.run(lambda: self._write(Plan(everything=True), None))

    async def _write(self, plan: Plan, epoch: int | None) -> None:
        await self.survey()
        with mongo_errors():
            await self._writer().apply(plan, epoch)

    def _writer(self) -> Transactions | Journal:
        return self._transactions if self.place.transactions else self._journal

    async def _acquire(self, holder: str, ttl: float) -> int:
        async def granted() -> int:
            # First: a lease runs, and its first batch is not to wait for preparations.
            await self._writer().enter()
            while (lease := await self._head.grant(holder, ttl)) is None:
                await asyncio.sleep(0)
            self._journal.know(lease.generation)
            return lease.epoch

        return await self._leasing(granted)

    async def _holder(self) -> Holder | None:
        await self.survey()
        with mongo_errors():
            return await self._head.holder()

    async def _renew(self, lease: Lease, ttl: float) -> None:
        await self._leasing(lambda: self._head.renew(lease.epoch, ttl))

    async def _release(self, lease: Lease) -> None:
        await self._leasing(lambda: self._head.release(lease.epoch))

    async def _leasing(self, step: Callable[[], Awaitable[T]]) -> T:
        """Take a step of a lease; one that waits for a transaction wakes whoever left it."""
        await self.survey()
        with mongo_errors():
            while True:
                try:
                    return await step()
                except PyMongoError as exc:
                    if not took_too_long(exc):
                        raise
                await self._transactions.wake()

    async def _close(self) -> None:
        # Within the timeout, also when the server is silent: half for a write on its way.
        await self._errands.drained(self.timeout / 2, self.timeout / 8)
        await self._transactions.close(min(FAREWELL_S, self.timeout / 8))
