"""Transactions over a state: reads see the writes, and one batch at the end makes them true.

A transaction belongs to the tasks that run in it, through a context variable. One begun inside
another joins it: what it wrote counts if it ends well, and is forgotten if not; the batch is the
outer one's. A task that is still running when its transaction is over gets an error for what it
reads or writes then: there is no batch left that could carry it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Protocol, Self

from wa_core.errors import TransactionError
from wa_core.state.commits import Edit
from wa_core.state.creds import Creds
from wa_core.storage import Delete, Operation, Put
from wa_core.storage.layouts import SESSION

_ALL_RECORDS = SESSION.rstrip("/")
_CURRENT: ContextVar[tuple[Transaction, ...]] = ContextVar("wa transactions", default=())


class Records(Protocol):
    """What a transaction is about: records that can be locked and committed to."""

    async def lock(self, owner: Transaction, names: Iterable[str]) -> None:
        """Wait until the owner has the names, in every spelling they have."""

    def unlock(self, owner: Transaction) -> None:
        """Give up all that the owner has."""

    def submit(self, changes: Changes) -> asyncio.Future[None]:
        """Queue the batch."""


class Changes:
    """What is to be written, and nothing of it yet."""

    def __init__(self) -> None:
        self.values: dict[str, bytes | None] = {}
        self.edits: list[Edit] = []
        self.cleared = False
        """Every record but the credentials goes first."""

    def put(self, values: dict[str, bytes | None]) -> None:
        """Write values; None deletes."""
        self.values.update(values)

    def clear(self) -> None:
        """Delete every record but the credentials."""
        self.cleared = True
        self.values.clear()

    def join(self, later: Changes) -> None:
        """Add what was done after these."""
        if later.cleared:
            self.clear()
        self.values.update(later.values)
        self.edits += later.edits

    @property
    def operations(self) -> list[Operation]:
        """The batch, but for the credentials."""
        gone = [Delete(_ALL_RECORDS)] if self.cleared else []
        gone += [Delete(key) for key, value in self.values.items() if value is None]
        kept = [Put(key, value) for key, value in self.values.items() if value is not None]
        return [*gone, *kept]

    def __bool__(self) -> bool:
        return bool(self.values or self.edits or self.cleared)


class Transaction:
    """`async with state.transaction(address):` and everything inside is one batch."""

    def __init__(self, records: Records, names: Iterable[str]) -> None:
        self.records = records
        self.over = False
        self.changes = Changes()
        self._names = tuple(names)
        self._outer: Transaction | None = None
        self._token: Token[tuple[Transaction, ...]] | None = None

    async def __aenter__(self) -> Self:
        if self._token is not None:
            raise TransactionError("it was begun before: make another one")
        self._outer = _innermost_open(self.records)
        self._token = _CURRENT.set((*_CURRENT.get(), self))
        try:
            await self.records.lock(self._root, self._names)
        except BaseException:
            _CURRENT.reset(self._token)
            self.over = True
            self._end()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _CURRENT.reset(self._token)
        self.over = True
        if error is not None or not self.changes:
            self._end()
        elif self._outer is None:
            await self._commit()
        elif self._outer.over:
            raise TransactionError("the one around it ended first, and this was not written")
        else:
            self._outer.changes.join(self.changes)

    def find(self, keys: Iterable[str]) -> tuple[dict[str, bytes], list[str]]:
        """Return what it and those around it have written of `keys`, and whom to ask the store."""
        found: dict[str, bytes] = {}
        missing = list(keys)
        level: Transaction | None = self
        while level is not None and missing:
            changes, level = level.changes, level._outer
            for key in missing:
                value = changes.values.get(key)
                if value is not None:
                    found[key] = value
            missing = [key for key in missing if key not in changes.values]
            if changes.cleared:
                missing = []
        return found, missing

    def spread(self, stored: Iterable[str], prefix: str) -> set[str]:
        """Return the keys below `prefix` as they are for this transaction."""
        outer = set(stored) if self._outer is None else self._outer.spread(stored, prefix)
        if self.changes.cleared:
            outer.clear()
        for key, value in self.changes.values.items():
            if key.startswith(prefix):
                (outer.discard if value is None else outer.add)(key)
        return outer

    def changed(self, creds: Creds) -> Creds:
        """Return the credentials with every change made here and around."""
        if self._outer is not None:
            creds = self._outer.changed(creds)
        for edit in self.changes.edits:
            creds = edit(creds)
        return creds

    @property
    def _root(self) -> Transaction:
        return self if self._outer is None else self._outer._root

    def _end(self) -> None:
        if self._outer is None:
            self.records.unlock(self)

    async def _commit(self) -> None:
        try:
            done = self.records.submit(self.changes)
        except BaseException:
            self._end()
            raise
        # The batch goes on when this task is cancelled, and until it is done nobody may follow.
        done.add_done_callback(lambda _: self._end())
        await asyncio.shield(done)


def current(records: Records) -> Transaction | None:
    """Return the transaction that this task is in, or raise if it is over."""
    for transaction in reversed(_CURRENT.get()):
        if transaction.records is records:
            if transaction.over:
                raise TransactionError(
                    "it is over and this task is not: await the task inside of it, "
                    "or begin a transaction in the task"
                )
            return transaction
    return None


def _innermost_open(records: Records) -> Transaction | None:
    for transaction in reversed(_CURRENT.get()):
        if transaction.records is records and not transaction.over and not transaction._root.over:
            return transaction
    return None
