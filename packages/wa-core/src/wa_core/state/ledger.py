"""The records of one session as everything above sees them: read, changed, locked, committed.

Here meet the engine behind its cache, the queue of commits, what is unsaved, and transactions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager, AbstractContextManager

from wa_core.errors import (
    CorruptRecordError,
    TransactionError,
    UsageError,
    ValueTooLargeError,
)
from wa_core.state.addresses import canonical_address, lock_names
from wa_core.state.cache import LeasedCache
from wa_core.state.commits import CommitQueue, Edit, Note
from wa_core.state.creds import Creds
from wa_core.state.locks import NamedLocks
from wa_core.state.policy import Policy, Timer, Unsaved
from wa_core.state.transaction import Changes, Transaction, current
from wa_core.storage import Engine, Lease
from wa_core.storage.layouts import CREDS, BufferJsonError, key_of, loads

LID_MAPPING = "lid-mapping"


class Ledger:
    """One session's records; `AuthState` and its topics are the faces of it."""

    def __init__(
        self,
        engine: Engine,
        creds: Creds,
        *,
        lease: Lease | None,
        policy: Policy,
        cache_bytes: int,
        timer: Timer,
    ) -> None:
        self._engine = LeasedCache(engine, max_bytes=cache_bytes)
        self._engine.follow(lease)
        self._queue = CommitQueue(self._engine, creds, lease=lease)
        self._unsaved = Unsaved(self._queue, policy, timer)
        self._locks = NamedLocks()
        self._closed = False

    @property
    def engine(self) -> Engine:
        """Where the records lie, behind the cache."""
        return self._engine

    @property
    def lease(self) -> Lease | None:
        """The lease that fences every write."""
        return self._queue.lease

    @property
    def creds(self) -> Creds:
        """The credentials, with what this task's transaction changed."""
        transaction = current(self)
        known = self._unsaved.creds
        return known if transaction is None else transaction.changed(known)

    async def get(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Read the records that are there."""
        transaction = await self._ready()
        found: dict[str, bytes] = {}
        if transaction is not None:
            found, keys = transaction.find(keys)
        found.update(await self._engine.get_many(keys))
        return found

    async def keys(self, prefix: str) -> list[str]:
        """List the keys below `prefix`, in the order of their names."""
        transaction = await self._ready()
        stored = await self._engine.list(prefix, limit=None)
        return sorted(stored if transaction is None else transaction.spread(stored, prefix))

    async def put(self, values: dict[str, bytes | None], *edits: Edit) -> None:
        """Write records, and change the credentials with them, in one batch."""
        limit = self._engine.capabilities.max_value
        for value in values.values():
            if value is not None and len(value) > limit:
                raise ValueTooLargeError(len(value), limit)
        changes = Changes()
        changes.put(values)
        changes.edits += edits
        await self._change(changes)

    async def clear(self) -> None:
        """Delete every record but the credentials."""
        changes = Changes()
        changes.clear()
        await self._change(changes)

    async def edit(self, edit: Edit) -> None:
        """Change the credentials when the policy says so, or with this task's transaction."""
        if self._unsaved.policy.at_once or current(self) is not None:
            await self.put({}, edit)
        else:
            self._check_open()
            self._unsaved.add(edit)

    async def flush(self) -> None:
        """Return when everything that was changed before is in the store."""
        self._check_open()
        if current(self) is not None:
            raise TransactionError("what it changed is saved when it ends: flush after that")
        await asyncio.shield(self._unsaved.submit(flush=True))

    async def settle(self) -> None:
        """Return when no write is in doubt, or raise what keeps it so."""
        await self._queue.settle()

    async def follow(self, lease: Lease | None) -> None:
        """Go on under another lease: nothing that was known under the former one counts."""
        await self._queue.drain()
        self._unsaved.forget()
        self._engine.follow(lease)
        self._queue.restart(await stored_creds(self._engine), lease)

    def hold(self) -> AbstractAsyncContextManager[None]:
        """Keep every batch waiting while this is entered."""
        self._check_open()
        return self._queue.hold()

    def watched(self, note: Note) -> AbstractContextManager[None]:
        """Tell of every batch while this is entered."""
        return self._queue.watched(note)

    async def close(self) -> None:
        """Save what is unsaved, and refuse everything from then on."""
        if not self._closed:
            await self.flush()
            self._closed = True

    def transaction(self, names: Iterable[str]) -> Transaction:
        """Make a transaction that locks these names."""
        return Transaction(self, names)

    async def canonical(self, address: str) -> str:
        """Return the address under which a peer's records lie."""
        return await canonical_address(address, self._mapped)

    async def lock(self, owner: Transaction, names: Iterable[str]) -> None:
        """Wait until the owner has the names; of a peer, by number and by LID."""
        await self._ready()
        names = tuple(names)
        wanted = await self._all_names(names)
        while True:
            gained = await self._locks.acquire(owner, wanted)
            # While it waited, the number and the LID of a peer may have found each other.
            known = await self._all_names(names)
            if known <= wanted:
                return
            # Back to the end of the line: asking for more while holding some makes circles.
            self._locks.release(owner, gained)
            wanted = known

    def unlock(self, owner: Transaction) -> None:
        """Give up all that the owner has."""
        self._locks.release(owner)

    def submit(self, changes: Changes) -> asyncio.Future[None]:
        """Queue the batch of a transaction."""
        self._check_open()
        return self._unsaved.submit(changes.operations, changes.edits, keep_creds=changes.cleared)

    def __repr__(self) -> str:
        return f"{self.creds!r} in {self._engine.inner!r}"

    async def _change(self, changes: Changes) -> None:
        transaction = current(self)
        if transaction is None:
            await asyncio.shield(self.submit(changes))
            return
        for edit in changes.edits:
            # Tried here, where it still can be told who made it.
            edit(self.creds).to_bytes()
        transaction.changes.join(changes)

    async def _ready(self) -> Transaction | None:
        self._check_open()
        transaction = current(self)
        await self._queue.settle()
        return transaction

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError("this state is closed: open it again with AuthState.open")

    async def _all_names(self, names: Iterable[str]) -> frozenset[str]:
        known: frozenset[str] = frozenset()
        for name in names:
            known |= await lock_names(name, self._mapped)
        return known

    async def _mapped(self, user: str) -> str | None:
        key = key_of(LID_MAPPING, user)
        found = await self.get([key])
        value = parse(key, found[key]) if key in found else None
        if value is None or isinstance(value, str):
            return value
        raise CorruptRecordError(key, "it names no user")


def parse(key: str, data: bytes) -> object:
    """Read the value of a record."""
    try:
        return loads(data)
    except BufferJsonError as exc:
        raise CorruptRecordError(key, str(exc)) from None


async def stored_creds(engine: Engine) -> Creds:
    """Read the credentials of a session that is known to have them."""
    data = await engine.get(CREDS)
    if data is None:
        raise CorruptRecordError(CREDS, "it was here, and is gone")
    return Creds.from_bytes(data)
