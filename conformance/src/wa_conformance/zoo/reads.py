"""Specimens of chapter G: absent, damaged and silent taken for each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing, suppress
from typing import Any

from wa_core.errors import CorruptRecordError, StorageError
from wa_core.storage import Entry, Lease, MemoryStore, Operation, check_key

from wa_conformance.zoo.base import Specimen, is_delete, keys_put


class CorruptReadsAsAbsent(Specimen):
    """Turns any read error into None: FileEngine, arcaelas S3, Baileys' multi-file state."""

    breaks = "G2"

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for key in keys:
            with suppress(CorruptRecordError):
                found.update(await super()._get_many((key,)))
        return found


class OlderStore(MemoryStore):
    """Remembers what each value replaced."""

    def __init__(self) -> None:
        super().__init__()
        self.older: dict[str, bytes] = {}

    def put(self, key: str, value: bytes, at: int | None) -> None:
        """Write, and keep a copy of the value before."""
        if key in self.values:
            self.older[key] = self.values[key]
        super().put(key, value, at)

    def cascade(self, key: str) -> None:
        """Remove, copies included."""
        for gone in self.index.under(key):
            self.older.pop(gone, None)
        super().cascade(key)

    def read(self, key: str) -> bytes:
        """Fall back to the copy where there is one."""
        try:
            return super().read(key)
        except CorruptRecordError:
            if key not in self.older:
                raise
            return self.older[key]


class CorruptReadsAsOlder(Specimen):
    """Falls back to the `.bak` of the write before: a rolled-back ratchet."""

    breaks = "G2"
    store_type = OlderStore


class CorruptReadsAsEmpty(Specimen):
    """Serves an empty value for a record that was cut to nothing by a crash."""

    breaks = "G2"

    async def get(self, key: str) -> bytes | None:
        """Read, or give the empty value."""
        try:
            return await super().get(key)
        except CorruptRecordError:
            return b""


class CorruptLeftOutOfGetMany(Specimen):
    """Raises in `get`, but leaves a damaged record out of `get_many`."""

    breaks = "G2"

    async def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Read one by one what can be read."""
        found = {}
        for key in keys:
            with suppress(CorruptRecordError):
                value = await self.get(key)
                if value is not None:
                    found[key] = value
        return found


class CorruptSkippedByScan(Specimen):
    """Leaves a damaged record out of `scan`: a copy of the store lacks it without a word."""

    breaks = "G2"

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        for key in list(self.store.index.keys(prefix)):
            with suppress(CorruptRecordError, KeyError):
                yield Entry(key, self.store.read(key), self.store.index.position(key) or 0)


class CorruptNamesNoKey(Specimen):
    """Says that something is damaged, but not what."""

    breaks = "G2"

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        try:
            return await super()._get_many(keys)
        except CorruptRecordError as exc:
            raise StorageError("checksum mismatch") from exc


class CorruptPoisonsAll(Specimen):
    """Reads nothing at all while one record is damaged: one file, one checksum."""

    breaks = "G2"

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        for key in self.store.values:
            self.store.read(key)
        return await super()._get_many(keys)


class CorruptForEver(Specimen):
    """Reads a record before it overwrites it, so that a damaged one cannot be healed."""

    breaks = "G2"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._get_many(keys_put(operations))
        await super()._apply(operations, fence)


class CorruptCannotGo(Specimen):
    """Reads a record before it deletes it, so that a damaged one stays for ever."""

    breaks = "G2"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        gone = [each.key for each in operations if is_delete(each)]
        await super()._get_many([key for key in gone if key in self.store.values])
        await super()._apply(operations, fence)


class _Impatient(Specimen):
    """Gives up on a silent backend a little before the base class would, its own way."""

    async def _answered(self) -> bool:
        try:
            async with asyncio.timeout(self.timeout * 0.8):
                await self.store.answering()
        except TimeoutError:
            return False
        return True


class TimeoutIsAbsent(_Impatient):
    """Turns a timeout into None: seven stores mint a new identity from that."""

    breaks = "G3"

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return await super()._get_many(keys) if await self._answered() else {}


class TimeoutIsEmptyList(_Impatient):
    """Turns a timeout into an empty page."""

    breaks = "G3"

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        return await super()._list(prefix, offset, limit) if await self._answered() else []


class TimeoutIsZero(_Impatient):
    """Turns a timeout into a count of 0."""

    breaks = "G3"

    async def _count(self, prefix: str) -> int:
        return await super()._count(prefix) if await self._answered() else 0


class TimeoutEndsScan(_Impatient):
    """Ends a scan when the backend falls silent, as if all had been read."""

    breaks = "G3"

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        if await self._answered():
            async with aclosing(super()._scan(prefix)) as source:
                async for entry in source:
                    yield entry


class TimeoutServesStale(_Impatient):
    """Answers from a cache of its own while the backend is silent."""

    breaks = "G3"

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        if await self._answered():
            return await super()._get_many(keys)
        return {key: self.store.values[key] for key in keys if key in self.store.values}


class AbsentWhileRewritten(Specimen):
    """Removes the old record, then writes the new one: a reader in between is told None."""

    breaks = "G1"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        if len(operations) == 1 and keys_put(operations):
            old = self.store.values.pop(operations[0].key, None)
            await asyncio.sleep(0)
            if old is not None:
                self.store.values[operations[0].key] = old
        await super()._apply(operations, fence)


class AbsentWhileBusy(Specimen):
    """Answers None while a write is under way, instead of waiting: a lock error swallowed."""

    breaks = "G1"
    _writing = 0

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        self._writing += 1
        try:
            await asyncio.sleep(0)
            await super()._apply(operations, fence)
        finally:
            self._writing -= 1

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return {} if self._writing else await super()._get_many(keys)


class GetManyIncludesNone(Specimen):
    """Answers None for absent keys instead of leaving them out: MGET passed on."""

    breaks = "G4"

    async def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Answer for every key."""
        wanted = list(keys)
        found: dict[str, Any] = dict.fromkeys(wanted)
        return found | await super().get_many(wanted)


class GetManyStopsAtHundred(Specimen):
    """Answers for the first hundred keys: a chunked read whose second chunk is never sent."""

    breaks = "G4"

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return await super()._get_many(keys[:100])


class GetManyReadsTwice(Specimen):
    """Walks its argument twice, so that a generator reads nothing."""

    breaks = "G4"

    async def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Check first, and read what is left."""
        for key in keys:
            check_key(key)
        return await super().get_many(keys)


class GetManyRaisesForAbsent(Specimen):
    """Raises when one of many keys is absent."""

    breaks = "G4"

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found = await super()._get_many(keys)
        if len(keys) > 1 and len(found) < len(keys):
            raise StorageError("a key is missing")
        return found


class GetManyOneByOne(Specimen):
    """Reads one key after the other, and so returns values of different moments."""

    breaks = "G4"

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found = {}
        for key in keys:
            found.update(await super()._get_many((key,)))
            await asyncio.sleep(0)
        return found


SPECIMENS = (
    CorruptReadsAsAbsent,
    CorruptReadsAsOlder,
    CorruptReadsAsEmpty,
    CorruptLeftOutOfGetMany,
    CorruptSkippedByScan,
    CorruptNamesNoKey,
    CorruptPoisonsAll,
    CorruptForEver,
    CorruptCannotGo,
    TimeoutIsAbsent,
    TimeoutIsEmptyList,
    TimeoutIsZero,
    TimeoutEndsScan,
    TimeoutServesStale,
    AbsentWhileRewritten,
    AbsentWhileBusy,
    GetManyIncludesNone,
    GetManyStopsAtHundred,
    GetManyReadsTwice,
    GetManyRaisesForAbsent,
    GetManyOneByOne,
)
