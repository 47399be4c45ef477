"""Specimens whose bug shows in one place only, so that one check alone stands against it: data."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable, Sequence

from wa_core.errors import CorruptRecordError, InvalidKeyError, StorageError
from wa_core.storage import Batch, Delete, Entry, Lease, Operation, Put, check_prefix

from wa_conformance.zoo.base import Folding, Specimen, keys_put
from wa_conformance.zoo.values import Changing


class MergesRareIdeographs(Folding):
    """Knows no characters of the second and third plane: a font's idea of text."""

    breaks = "K1"

    def _folded(self, key: str) -> str:
        return re.sub(r"[\U00020000-\U0003ffff]", "\u3013", key)


class ListHidesInvisible(Specimen):
    """Lists one of two keys that look the same, because one holds an invisible character."""

    breaks = "K2"

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        keys = await super()._list(prefix, 0, None)
        keys = [key for key in keys if "\u200b" not in key or key.replace("\u200b", "") not in keys]
        return keys[offset : None if limit is None else offset + limit]


class GrandchildReplacesValue(Specimen):
    """Drops the value two folders above a new key: one folder more is made than is needed."""

    breaks = "K3"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(operations, fence)
        for key in keys_put(operations):
            parent = key.rpartition("/")[0]
            above = parent.rpartition("/")[0]
            if "/" in above and parent in self.store.values and above in self.store.values:
                self.store.index.discard(above)
                del self.store.values[above]


class ValueReplacesDeepest(Specimen):
    """Drops what is three folders below a key that gets a value: the tree is rebuilt too flat."""

    breaks = "K3"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        new = [key for key in keys_put(operations) if key not in self.store.values]
        await super()._apply(operations, fence)
        for key in new:
            below = list(self.store.index.keys(f"{key}/"))
            deep = [each for each in below if each[len(key) :].count("/") >= 3]
            for each in deep if len(below) >= 4 and len(operations) == 1 else []:
                self.store.cascade(each)


class ScansAnyPrefix(Specimen):
    """Scans nothing under a prefix that no key can begin with, instead of refusing it."""

    breaks = "K4"

    async def scan(self, prefix: str = "") -> AsyncGenerator[Entry, None]:
        """Scan, whatever the prefix."""
        try:
            check_prefix(prefix)
        except InvalidKeyError:
            return
        async for entry in super().scan(prefix):
            yield entry


class PrefixesAreShort(Specimen):
    """Refuses a folder's name of 511 bytes as a prefix: there must be room for a child's name."""

    breaks = "K4"

    async def list(self, prefix: str = "", offset: int = 0, limit: int | None = 50) -> list[str]:
        """List below a short prefix."""
        if isinstance(prefix, str) and prefix.endswith("/") and len(prefix) > 500:
            raise InvalidKeyError(prefix, "too long for a folder")
        return await super().list(prefix, offset, limit)


class LosesLoneByte(Changing):
    """Maps a value of one byte that code page 1252 does not define to `?`."""

    breaks = "V1"

    def _kept(self, value: bytes) -> bytes:
        return b"?" if value in (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d") else value


class StripsByteOrderMark(Changing):
    """Strips a byte order mark from the front of a value: `utf-8-sig`."""

    breaks = "V1"

    def _kept(self, value: bytes) -> bytes:
        return value.removeprefix(b"\xef\xbb\xbf")


class CountSkipsEmpty(Specimen):
    """Counts records that hold something."""

    breaks = "V1"

    async def _count(self, prefix: str) -> int:
        await self.store.answering()
        if all(self.store.values.values()):
            return self.store.index.count(prefix)
        return sum(1 for key in self.store.index.keys(prefix) if self.store.values[key])


class OverwriteKeepsTail(Specimen):
    """Writes a shorter value over a longer one and leaves the tail: no truncate, beyond a page."""

    breaks = "V1"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        only = operations[0] if len(operations) == 1 else None
        if isinstance(only, Put):
            old = self.store.values.get(only.key, b"")
            if 4096 < len(old) < 8000 and len(only.value) < 4096:
                operations = [Put(only.key, only.value + old[4096:], only.at)]
        await super()._apply(operations, fence)


class StrLosesLineSeparators(Specimen):
    """Turns U+2028 in a text into a newline: JavaScript's old trouble, in the wrong place."""

    breaks = "V2"

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Write text with plain newlines."""
        if isinstance(value, str):
            value = value.replace("\u2028", "\n")
        await super().set(key, value, at=at)


class ReadsFolderAsEmpty(Specimen):
    """Reads a key that only has keys below it as an empty value: a folder was opened."""

    breaks = "G1"

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        folders = [key for key in keys if self.store.index.has_below(key)]
        return dict.fromkeys(folders, b"") | await super()._get_many(keys)


class CorruptNamesAnotherKey(Specimen):
    """Says that a record is damaged, and names the table instead of the key."""

    breaks = "G2"

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        try:
            return await super()._get_many(keys)
        except CorruptRecordError as exc:
            raise CorruptRecordError("records") from exc


class GetManyRefusesDuplicates(Specimen):
    """Raises when a key is asked for twice: ON CONFLICT in a temporary table."""

    breaks = "G4"

    async def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Read keys that differ."""
        wanted = list(keys)
        if len({str(key) for key in wanted}) < len(wanted):
            raise StorageError("duplicate key")
        return await super().get_many(wanted)


class GetManyStopsAtThousand(Specimen):
    """Answers for the first thousand keys: one IN list, and no second."""

    breaks = "G4"

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return await super()._get_many(keys[:1000])


class LeafTakesParent(Specimen):
    """Removes the value of a leaf's parent with the leaf, three levels down: one path too short."""

    breaks = "C1"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        only = operations[0] if len(operations) == 1 else None
        doomed = only.key if isinstance(only, Delete) and only.key in self.store.values else ""
        await super()._apply(operations, fence)
        parent = doomed.rpartition("/")[0]
        above = parent.rpartition("/")[0]
        both_hold_values = above in self.store.values and parent in self.store.values
        if both_hold_values and self.store.index.count(parent + "/") > 1:
            self.store.index.discard(parent)
            del self.store.values[parent]


class DeleteAbsentTwiceRaises(Specimen):
    """Keeps a tombstone for a key that was not there beside its like, and fails to do so twice."""

    breaks = "C2"
    _last = ""

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        only = operations[0] if len(operations) == 1 else None
        absent = isinstance(only, Delete) and not self.store.index.under(only.key)
        absent = absent and only is not None and self.store.index.count(only.key) > 0
        if absent and only is not None and only.key == self._last:
            raise StorageError("tombstone exists")
        self._last = only.key if absent and only is not None else ""
        await super()._apply(operations, fence)


class TwoAbsentDeletesStopBatch(Specimen):
    """Gives up a small batch when two of its deletes find nothing: it must have been applied."""

    breaks = "C2"

    async def apply(self, batch: Batch, *, fence: Lease | None = None) -> None:
        """Apply what looks new."""
        deletes = [each for each in batch if isinstance(each, Delete)]
        absent = [each for each in deletes if not self.store.index.under(each.key)]
        if len(absent) < 2 or len(batch) > 4:
            await super().apply(batch, fence=fence)


class DeletedStaysInDeepPages(Specimen):
    """Clears the pages of a deleted key's folder and of the one above, but of none further down."""

    breaks = "C3"

    def _begin(self) -> None:
        self._gone: list[str] = []

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        page = await super()._list(prefix, offset, limit)
        if page or prefix.count("/") <= 2:
            return page
        return [key for key in self._gone if key.startswith(prefix)]

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        before = set(self.store.values)
        await super()._apply(operations, fence)
        self._gone = sorted(before - set(self.store.values))


SPECIMENS = (
    MergesRareIdeographs,
    ListHidesInvisible,
    GrandchildReplacesValue,
    ValueReplacesDeepest,
    ScansAnyPrefix,
    PrefixesAreShort,
    LosesLoneByte,
    StripsByteOrderMark,
    CountSkipsEmpty,
    OverwriteKeepsTail,
    StrLosesLineSeparators,
    ReadsFolderAsEmpty,
    CorruptNamesAnotherKey,
    GetManyRefusesDuplicates,
    GetManyStopsAtThousand,
    LeafTakesParent,
    DeleteAbsentTwiceRaises,
    TwoAbsentDeletesStopBatch,
    DeletedStaysInDeepPages,
)
