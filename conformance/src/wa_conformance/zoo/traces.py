"""Specimens of clause C3: what was deleted and can still be seen somewhere."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import ClassVar

from wa_core.storage import Delete, Entry, Lease, MemoryStore, Operation

from wa_conformance.zoo.base import Specimen


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
    """Hides a large tree behind its root's tombstone: writing the root shows the old children."""

    breaks = "C3"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        for each in operations:
            below = [key for key in self.store.ghosts if key.startswith(f"{each.key}/")]
            single = len(operations) == 1 and not isinstance(each, Delete)
            if single and each.key in self.store.ghosts and len(below) > 2:
                for key in below:
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

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        for each in operations:
            if each.key in self.store.values:
                self._litter[self.session] = self._litter.get(self.session, 0) + 1
        await super()._apply(operations, fence)

    _litter: ClassVar[dict[str, int]] = {}

    def residue(self) -> list[str]:
        """Name the temporary files as well."""
        count = self._litter.get(self.session, 0)
        return [*super().residue(), *(f".tmp-{number}" for number in range(count))]


SPECIMENS = (
    DeletedStaysListed,
    DeletedStaysInCount,
    DeletedStaysInScan,
    DeletedStaysInGetMany,
    DeletedChildrenComeBack,
    LeavesIndexRows,
    LeavesEmptyFolders,
    LeavesTemporaryFiles,
)
