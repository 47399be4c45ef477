"""Specimens of chapter C: deletes that take too much, too little, or leave traces."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from fnmatch import fnmatchcase

from wa_core.errors import StorageError
from wa_core.storage import Delete, Entry, Lease, MemoryStore, Operation

from wa_conformance.zoo.base import Specimen


class CascadingStore(MemoryStore):
    """Asks `doomed` which keys a delete removes."""

    def doomed(self, key: str) -> list[str]:
        """List what a delete of `key` removes, in whatever way is wrong here."""
        raise NotImplementedError

    def cascade(self, key: str) -> None:
        """Remove what `doomed` names."""
        for gone in self.doomed(key):
            self._damaged.discard(gone)
            self.index.discard(gone)
            self.values.pop(gone, None)

    def matching(self, key: str, pattern: str, flags: int = 0) -> list[str]:
        """List `key` and what matches a regular expression."""
        found = re.compile(pattern, flags)
        return [each for each in self.index.keys() if each == key or found.match(each)]


class GlobsInCascade(Specimen):
    """Deletes by `key/*` as a pattern: `chat/a*c` takes every matching chat, RedisEngine v2.2, v8."""

    breaks = "C1"

    class store_type(CascadingStore):
        def doomed(self, key: str) -> list[str]:
            return [k for k in self.index.keys() if k == key or fnmatchcase(k, f"{key}/*")]


class QuestionMarksInCascade(Specimen):
    """Escapes `*` and `[` in a pattern, but forgets `?`."""

    breaks = "C1"

    class store_type(CascadingStore):
        def doomed(self, key: str) -> list[str]:
            return self.matching(key, re.escape(key).replace(r"\?", "[^/]") + "/")


class LikeInCascade(Specimen):
    """Deletes with `LIKE 'key/%'`, where `_` and `%` match others: the PostgreSQL example."""

    breaks = "C1"

    class store_type(CascadingStore):
        def doomed(self, key: str) -> list[str]:
            pattern = re.escape(key).replace("_", ".").replace("%", ".*")
            return self.matching(key, pattern + "/", re.DOTALL)


class LikeIgnoresCaseInCascade(Specimen):
    """Escapes `_` and `%`, but SQLite's LIKE ignores the case of ASCII letters."""

    breaks = "C1"

    class store_type(CascadingStore):
        def doomed(self, key: str) -> list[str]:
            return self.matching(key, re.escape(key) + "/", re.IGNORECASE | re.ASCII)


class BackslashEscapesInCascade(Specimen):
    """Escapes wildcards with a backslash, but not the backslash itself, so that it is lost."""

    breaks = "C1"

    class store_type(CascadingStore):
        def doomed(self, key: str) -> list[str]:
            return [key, *self.index.keys(re.sub(r"\\(.)", r"\1", key) + "/")]


class RegexInCascade(Specimen):
    """Deletes with `^key/` as a regular expression, where `.` and `+` mean more: MongoDB users."""

    breaks = "C1"

    class store_type(CascadingStore):
        def doomed(self, key: str) -> list[str]:
            try:
                return self.matching(key, key + "/")
            except re.error:
                return self.matching(key, re.escape(key) + "/")


class DotIsNesting(Specimen):
    """Takes `a.b` for a child of `a`, as MongoDB's field paths do."""

    breaks = "C1"

    class store_type(CascadingStore):
        def doomed(self, key: str) -> list[str]:
            return self.matching(key, re.escape(key) + "[/.]")


class ColonIsNesting(Specimen):
    """Takes `a:b` for a child of `a`: Redis keys joined with colons."""

    breaks = "C1"

    class store_type(CascadingStore):
        def doomed(self, key: str) -> list[str]:
            return self.matching(key, re.escape(key) + "[/:]")


class CascadeWithoutSlash(Specimen):
    """Deletes all that begins with the key: `chat/12` takes `chat/123`, arcaelas S3."""

    breaks = "C1"

    class store_type(CascadingStore):
        def doomed(self, key: str) -> list[str]:
            return list(self.index.keys(key))


class CascadeUpToNextByte(Specimen):
    """Deletes the range from `key/` on, but its upper bound `key0` is included."""

    breaks = "C1"

    class store_type(CascadingStore):
        def doomed(self, key: str) -> list[str]:
            return [*self.index.under(key), key + "0"]


class CascadeFromAnywhere(Specimen):
    """Deletes wherever the key occurs in a path: `LIKE '%key/%'`."""

    breaks = "C1"

    class store_type(CascadingStore):
        def doomed(self, key: str) -> list[str]:
            return [k for k in self.index.keys() if k == key or f"/{key}/" in f"/{k}"]


class CascadeMissesGrandchildren(Specimen):
    """Deletes direct children only: a folder's files, not its folders."""

    breaks = "C1"

    class store_type(CascadingStore):
        def doomed(self, key: str) -> list[str]:
            return [k for k in self.index.under(key) if "/" not in k[len(key) + 1 :]]


class CascadeKeepsOwnValue(Specimen):
    """Deletes what is below a key, and keeps the key where anything was."""

    breaks = "C1"

    class store_type(CascadingStore):
        def doomed(self, key: str) -> list[str]:
            return list(self.index.keys(f"{key}/")) or [key]


class CascadeNeedsValue(Specimen):
    """Returns early when the key itself holds nothing, and spares its children."""

    breaks = "C1"

    class store_type(CascadingStore):
        def doomed(self, key: str) -> list[str]:
            return self.index.under(key) if key in self.values else []


class CascadeStopsAtPage(Specimen):
    """Deletes the first fifty: the cascade lists with the default limit."""

    breaks = "C1"

    class store_type(CascadingStore):
        def doomed(self, key: str) -> list[str]:
            return [key, *self.index.page(f"{key}/", 0, 50)]


class CascadeStopsAtThousand(Specimen):
    """Deletes the first thousand: S3's `DeleteObjects` without a second page."""

    breaks = "C1"

    class store_type(CascadingStore):
        def doomed(self, key: str) -> list[str]:
            return self.index.under(key)[:1000]


class CascadeTakesEmptyParent(Specimen):
    """Sweeps a folder away with its last file, and the value beside the folder with it."""

    breaks = "C1"

    class store_type(CascadingStore):
        def doomed(self, key: str) -> list[str]:
            gone = self.index.under(key)
            parent = key.rpartition("/")[0]
            alone = parent in self.values and self.index.count(parent + "/") == len(gone)
            return [*gone, parent] if alone and gone else gone


class DeleteAbsentRaises(Specimen):
    """Raises for a key that is not there: `unlink` without a look at ENOENT."""

    breaks = "C2"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        if len(operations) == 1 and isinstance(operations[0], Delete):
            if not self.store.index.under(operations[0].key):
                raise StorageError("no such file")
        await super()._apply(operations, fence)


class DeleteAbsentFailsBatch(Specimen):
    """Undoes a whole batch because one of its deletes found nothing."""

    breaks = "C2"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        for each in operations:
            found = not isinstance(each, Delete) or self.store.index.under(each.key)
            if not found and len(operations) > 1:
                return
        await super()._apply(operations, fence)


class GhostStore(MemoryStore):
    """Remembers what was deleted, where a specimen forgets to."""

    def __init__(self) -> None:
        super().__init__()
        self.ghosts: dict[str, bytes] = {}

    def put(self, key: str, value: bytes, at: int | None) -> None:
        """Write, and lay the ghost."""
        self.ghosts.pop(key, None)
        super().put(key, value, at)

    def cascade(self, key: str) -> None:
        """Remove, and remember."""
        for gone in self.index.under(key):
            self.ghosts[gone] = self.values[gone]
        super().cascade(key)


class _Haunted(Specimen):
    store_type = GhostStore
    store: GhostStore


class DeletedStaysListed(_Haunted):
    """Leaves the index line of a deleted record: document and sorted set, two writes."""

    breaks = "C3"

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        ghosts = [key for key in self.store.ghosts if key.startswith(prefix)]
        page = await super()._list(prefix, 0, None) + ghosts
        return page[offset : None if limit is None else offset + limit]


class DeletedStaysInCount(_Haunted):
    """Counts with a number that only grows."""

    breaks = "C3"

    async def _count(self, prefix: str) -> int:
        ghosts = sum(key.startswith(prefix) for key in self.store.ghosts)
        return await super()._count(prefix) + ghosts


class DeletedStaysInScan(_Haunted):
    """Scans the heap, where deleted rows lie until they are swept."""

    breaks = "C3"

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        async for entry in super()._scan(prefix):
            yield entry
        for key, value in list(self.store.ghosts.items()):
            if key.startswith(prefix):
                yield Entry(key, value, 0)


class DeletedStaysInGetMany(_Haunted):
    """Hides deleted records from `get`, but not from `get_many`."""

    breaks = "C3"

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found = await super()._get_many(keys)
        if len(keys) > 1:
            found.update((k, self.store.ghosts[k]) for k in keys if k in self.store.ghosts)
        return found


class DeletedChildrenComeBack(_Haunted):
    """Hides a tree behind its root's tombstone: writing the root anew shows the old children."""

    breaks = "C3"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        for each in operations:
            if not isinstance(each, Delete) and each.key in self.store.ghosts:
                for key in [k for k in self.store.ghosts if k.startswith(f"{each.key}/")]:
                    self.store.put(key, self.store.ghosts[key], 0)
        await super()._apply(operations, fence)


class LeavesIndexRows(_Haunted):
    """Keeps a row in the index for each deleted key, out of everybody's sight."""

    breaks = "C3"

    def residue(self) -> list[str]:
        """Name the rows that nothing points to as well."""
        return [*super().residue(), *self.store.ghosts]


class LeavesEmptyFolders(_Haunted):
    """Deletes files and leaves their folders standing."""

    breaks = "C3"

    def residue(self) -> list[str]:
        """Name the empty folders as well."""
        folders = {key.rpartition("/")[0] for key in self.store.ghosts}
        return [*super().residue(), *(f"{folder}/" for folder in folders if folder)]


class LeavesTemporaryFiles(Specimen):
    """Leaves a temporary file behind when a value is overwritten: FileSystemEngine (v8)."""

    breaks = "C3"

    class store_type(MemoryStore):
        litter = 0

        def put(self, key: str, value: bytes, at: int | None) -> None:
            self.litter += key in self.values
            super().put(key, value, at)

    store: store_type

    def residue(self) -> list[str]:
        """Name the temporary files as well."""
        return [*super().residue(), *(f".tmp-{n}" for n in range(self.store.litter))]


class SlowDelete(Specimen):
    """Looks at every key of the store for each delete: SCAN MATCH over the whole keyspace."""

    breaks = "C4"

    class store_type(CascadingStore):
        def doomed(self, key: str) -> list[str]:
            return [k for k in self.index.keys() if k == key or k.startswith(f"{key}/")]


class SlowDeleteOfLeaf(Specimen):
    """Rewrites the list of its parent's children for each delete: an index kept as one value."""

    breaks = "C4"

    class store_type(CascadingStore):
        def doomed(self, key: str) -> list[str]:
            siblings = list(self.index.keys(key.rpartition("/")[0]))
            return [k for k in siblings if k == key or k.startswith(f"{key}/")]


SPECIMENS = (
    GlobsInCascade,
    QuestionMarksInCascade,
    LikeInCascade,
    LikeIgnoresCaseInCascade,
    BackslashEscapesInCascade,
    RegexInCascade,
    DotIsNesting,
    ColonIsNesting,
    CascadeWithoutSlash,
    CascadeUpToNextByte,
    CascadeFromAnywhere,
    CascadeMissesGrandchildren,
    CascadeKeepsOwnValue,
    CascadeNeedsValue,
    CascadeStopsAtPage,
    CascadeStopsAtThousand,
    CascadeTakesEmptyParent,
    DeleteAbsentRaises,
    DeleteAbsentFailsBatch,
    DeletedStaysListed,
    DeletedStaysInCount,
    DeletedStaysInScan,
    DeletedStaysInGetMany,
    DeletedChildrenComeBack,
    LeavesIndexRows,
    LeavesEmptyFolders,
    LeavesTemporaryFiles,
    SlowDelete,
    SlowDeleteOfLeaf,
)
