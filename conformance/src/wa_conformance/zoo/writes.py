"""Specimens of chapter W: batches that are not one thing, or not where they were said to be."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from wa_core.errors import StorageError
from wa_core.storage import Delete, Lease, Operation, Put

from wa_conformance.zoo.base import Specimen, is_delete


class BatchNotAtomicForReaders(Specimen):
    """Writes the operations of a batch one by one: `Promise.all` of writeFile, default loops."""

    breaks = "W1"
    orders_applies = False

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        for operation in operations:
            await super()._apply((operation,), fence)
            await asyncio.sleep(0)


class BatchSplitsByFolder(Specimen):
    """Is atomic within a top folder only: one transaction a table, or one slot a command."""

    breaks = "W1"
    orders_applies = False

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        for _, group in groupby(operations, lambda each: each.key.partition("/")[0]):
            await super()._apply(list(group), fence)
            await asyncio.sleep(0)


class BatchStopsAtHundred(Specimen):
    """Sends the first hundred operations of a batch: the limit of a request, DynamoDB's."""

    breaks = "W1"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(operations[:100], fence)


class BatchChunks(Specimen):
    """Sends a batch in chunks of sixteen, each of them atomic."""

    breaks = "W1"
    orders_applies = False

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        for start in range(0, len(operations), 16):
            await super()._apply(operations[start : start + 16], fence)
            await asyncio.sleep(0)


class HalfAppliedBatch(Specimen):
    """Writes a batch in two transactions, first its first half and then the rest."""

    breaks = "W1"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        half = len(operations) // 2
        await super()._apply(operations[:half], fence)
        await asyncio.sleep(0)
        await super()._apply(operations[half:], fence)


class BatchDeletesFirst(Specimen):
    """Runs the deletes of a batch before its puts."""

    breaks = "W1"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(sorted(operations, key=lambda each: not is_delete(each)), fence)


class BatchPutsFirst(Specimen):
    """Runs the puts of a batch before its deletes."""

    breaks = "W1"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(sorted(operations, key=is_delete), fence)


class BatchBackwards(Specimen):
    """Runs a batch from its end, so that of two puts on a key the first one stays."""

    breaks = "W1"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(tuple(reversed(operations)), fence)


class BatchKeepsOnePerKey(Specimen):
    """Collects a batch in a dictionary, where a put keeps the place of an earlier one."""

    breaks = "W1"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(tuple({each.key: each for each in operations}.values()), fence)


class ReapplyFails(Specimen):
    """Inserts and fails on what is there: a batch that is applied again raises."""

    breaks = "W3"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        values = self.store.values
        puts = [each for each in operations if isinstance(each, Put)]
        if len(operations) > 1 and all(values.get(each.key) == each.value for each in puts):
            raise StorageError("duplicate key")
        await super()._apply(operations, fence)


class ReapplyIgnored(Specimen):
    """Recognises a batch that it has seen before and skips it, whatever happened since."""

    breaks = "W3"

    def _begin(self) -> None:
        self._seen: set[tuple[Operation, ...]] = set()

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        batch = tuple(operations)
        if batch in self._seen:
            return
        await super()._apply(batch, fence)
        if len(batch) > 2 and any(is_delete(each) for each in batch):
            self._seen.add(batch)


class ReapplyAppends(Specimen):
    """Appends when the batch before comes once more: a log replayed after a lost answer."""

    breaks = "W3"
    _last: tuple[Operation, ...] = ()

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        again = len(operations) > 1 and self._last == tuple(operations)
        self._last = tuple(operations)
        if again:
            operations = [
                replace(each, value=each.value * 2) if isinstance(each, Put) else each
                for each in operations
            ]
        await super()._apply(operations, fence)


class SetNoneIgnored(Specimen):
    """Takes `set(key, None)` for nothing to do."""

    breaks = "W4"

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Write, or do nothing."""
        if value is not None:
            await super().set(key, value, at=at)


class SetNoneStoresNull(Specimen):
    """Stores the word `null` for None."""

    breaks = "W4"

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Write, even where there is nothing to write."""
        await super().set(key, b"null" if value is None else value, at=at)


class SetNoneSparesChildren(Specimen):
    """Cascades in `apply`, but not in `set(key, None)`."""

    breaks = "W4"

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Write, or delete the one record."""
        below = {
            each: (self.store.values[each], self.store.index.position(each))
            for each in self.store.index.keys(f"{key}/")
        }
        await super().set(key, value, at=at)
        if value is None:
            for each, (kept, position) in below.items():
                self.store.put(each, kept, position)


class SetIgnoresAt(Specimen):
    """Gives `set` a position of its own, whatever `at` says: the three-method shortcut."""

    breaks = "W4"

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Write as of now."""
        await super().set(key, value)


class StaleSecondReader(Specimen):
    """Remembers in each object what it has read: node-cache in front of a shared store."""

    breaks = "W5"

    def _begin(self) -> None:
        self._cache: dict[str, bytes] = {}

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        fresh = await super()._get_many([key for key in keys if key not in self._cache])
        self._cache.update(fresh)
        return {key: self._cache[key] for key in keys if key in self._cache}

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(operations, fence)
        self._cache.clear()


class RemembersAbsence(Specimen):
    """Remembers in each object that a key was absent: a negative cache for credentials."""

    breaks = "W5"

    def _begin(self) -> None:
        self._absent: set[str] = set()

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found = await super()._get_many([key for key in keys if key not in self._absent])
        self._absent.update(key for key in keys if key not in found)
        return found

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(operations, fence)
        self._absent.clear()


class StaleIndex(Specimen):
    """Loads its index when it is opened, and never again: two objects list two worlds."""

    breaks = "W5"

    def _begin(self) -> None:
        self._pages: dict[tuple[str, int, int | None], list[str]] = {}

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        asked = (prefix, offset, limit)
        if asked not in self._pages:
            self._pages[asked] = await super()._list(prefix, offset, limit)
        return list(self._pages[asked])

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(operations, fence)
        self._pages.clear()


class LastCallLoses(Specimen):
    """Lets batches overtake each other: saves in reverse order, arcaelas 7.4.1."""

    breaks = "W6"
    orders_applies = True
    _calls = 0

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        self._calls += 1
        for _ in range(self._calls % 2 * 2):
            await asyncio.sleep(0)
        await super()._apply(operations, fence)


class SingleWritesOvertake(Specimen):
    """Sends single writes over seven connections in turn, each a little faster than the last."""

    breaks = "W6"
    orders_applies = True
    _calls = 0

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        if len(operations) == 1 and isinstance(operations[0], Put):
            self._calls += 1
            for _ in range(7 - self._calls % 7):
                await asyncio.sleep(0)
        await super()._apply(operations, fence)


class DeletesOvertake(Specimen):
    """Runs deletes at once and queues the puts."""

    breaks = "W6"
    orders_applies = True

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        if not any(isinstance(each, Delete) for each in operations):
            await asyncio.sleep(0)
        await super()._apply(operations, fence)


SPECIMENS = (
    BatchNotAtomicForReaders,
    BatchSplitsByFolder,
    BatchStopsAtHundred,
    BatchChunks,
    HalfAppliedBatch,
    BatchDeletesFirst,
    BatchPutsFirst,
    BatchBackwards,
    BatchKeepsOnePerKey,
    ReapplyFails,
    ReapplyIgnored,
    ReapplyAppends,
    SetNoneIgnored,
    SetNoneStoresNull,
    SetNoneSparesChildren,
    SetIgnoresAt,
    StaleSecondReader,
    RemembersAbsence,
    StaleIndex,
    LastCallLoses,
    SingleWritesOvertake,
    DeletesOvertake,
)
