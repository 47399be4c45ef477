"""Specimens of chapter S: scans that repeat, miss, or load the world."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from itertools import islice

from wa_core.errors import StorageError
from wa_core.storage import Entry, Lease, Operation

from wa_conformance.zoo.base import Specimen, cascade_of


class _OwnScan(Specimen):
    """Knows how to make an entry of a key."""

    def _entry(self, key: str) -> Entry:
        return Entry(key, self.store.read(key), self.store.index.position(key) or 0)


class ScanRepeats(_OwnScan):
    """Yields the last key of a chunk again as the first of the next: an inclusive cursor."""

    breaks = "S1"

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        await self.store.answering()
        for number, key in enumerate(list(self.store.index.keys(prefix)), start=1):
            if key in self.store.values:
                yield self._entry(key)
            if number % 100 == 0 and key in self.store.values:
                yield self._entry(key)


class ScanMisses(_OwnScan):
    """Leaves one key out between two chunks."""

    breaks = "S1"

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        await self.store.answering()
        for number, key in enumerate(list(self.store.index.keys(prefix)), start=1):
            if number % 100 and key in self.store.values:
                yield self._entry(key)


class ScanByOffset(_OwnScan):
    """Scans in pages by offset, which slide when somebody writes or deletes."""

    breaks = "S1"

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        offset = 0
        while page := await self._list(prefix, offset, 10):
            for key in page:
                if key in self.store.values:
                    yield self._entry(key)
            offset += len(page)


class ScanByPosition(_OwnScan):
    """Goes from the newest down by position, and yields only one of several equal ones."""

    breaks = "S1"

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        await self.store.answering()
        last = -1
        for key in self.store.index.page(prefix):
            if key in self.store.values and self.store.index.position(key) != last:
                last = self.store.index.position(key) or 0
                yield self._entry(key)


class ScanLoadsAll(_OwnScan):
    """Loads all records before it yields the first: `SELECT *` and fetchall."""

    breaks = "S1"

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        await self.store.answering()
        keys = list(self.store.index.keys(prefix))
        at = self.store.index.position
        copies = [Entry(k, bytes(bytearray(self.store.read(k))), at(k) or 0) for k in keys]
        for entry in copies:
            yield entry


class ScanFailsWhenWritten(_OwnScan):
    """Raises when the store changes under it: a dictionary that changed size."""

    breaks = "S1"

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        await self.store.answering()
        count = len(self.store.values)
        for key in list(self.store.index.keys(prefix)):
            if len(self.store.values) != count:
                raise StorageError("the cursor is gone")
            yield self._entry(key)


class ScanEndsWhenWritten(_OwnScan):
    """Ends without a word when the store changes under it."""

    breaks = "S1"

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        await self.store.answering()
        count = len(self.store.values)
        for key in list(self.store.index.keys(prefix)):
            if len(self.store.values) != count:
                return
            yield self._entry(key)


class ScanIgnoresPrefix(Specimen):
    """Scans everything, whatever the prefix."""

    breaks = "S1"

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        async for entry in super()._scan(""):
            yield entry


class ScanTakesPrefixForFolder(Specimen):
    """Scans a key and what is below it, also where a prefix ends inside a segment."""

    breaks = "S1"

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        async for entry in super()._scan(prefix):
            if prefix.endswith("/") or not prefix or cascade_of(prefix, [entry.key]):
                yield entry


class ScanForgetsPositions(Specimen):
    """Yields position 0 for every record: a copy of the store loses its order."""

    breaks = "S1"

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        async for entry in super()._scan(prefix):
            yield Entry(entry.key, entry.value, 0)


class ScanSkipsEmpty(Specimen):
    """Leaves out records whose value is empty."""

    breaks = "S1"

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        async for entry in super()._scan(prefix):
            if entry.value:
                yield entry


class ScanStopsAtThousand(Specimen):
    """Yields the first thousand: one page of an API, and no second."""

    breaks = "S1"

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        left = 1000
        async for entry in super()._scan(prefix):
            if left == 0:
                return
            left -= 1
            yield entry


class ScanBlocksWriters(_OwnScan):
    """Holds the writers' lock from its first record to its last: they wait until they fail."""

    breaks = "S1"
    orders_applies = False

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        await self.store.answering()
        async with self._turn:
            for key in islice(list(self.store.index.keys(prefix)), None):
                yield self._entry(key)

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(operations, fence)
        await asyncio.sleep(0)


SPECIMENS = (
    ScanRepeats,
    ScanMisses,
    ScanByOffset,
    ScanByPosition,
    ScanLoadsAll,
    ScanFailsWhenWritten,
    ScanEndsWhenWritten,
    ScanIgnoresPrefix,
    ScanTakesPrefixForFolder,
    ScanForgetsPositions,
    ScanSkipsEmpty,
    ScanStopsAtThousand,
    ScanBlocksWriters,
)
