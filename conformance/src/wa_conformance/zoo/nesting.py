"""Specimens of chapter K that cannot have a value and children under one key."""

from __future__ import annotations

from collections.abc import Sequence

from wa_core.errors import StorageError
from wa_core.storage import Lease, Operation, Put

from wa_conformance.zoo.base import Folding, Specimen


class FileOrFolder(Specimen):
    """Cannot put a file where a folder is, nor a folder where a file is: FileEngine (v2.2)."""

    breaks = "K3"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        for operation in operations:
            if isinstance(operation, Put) and self._collides(operation.key):
                raise StorageError("is a directory")
        await super()._apply(operations, fence)

    def _collides(self, key: str) -> bool:
        parts = key.split("/")
        above = ("/".join(parts[:n]) for n in range(1, len(parts)))
        return self.store.index.has_below(key) or any(up in self.store.values for up in above)


class ChildReplacesValue(Specimen):
    """Drops the value of `a` when `a/b` is written: the file makes room for the folder."""

    breaks = "K3"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(operations, fence)
        for operation in operations:
            parent = operation.key.rpartition("/")[0]
            if isinstance(operation, Put) and parent in self.store.values:
                self.store.index.discard(parent)
                del self.store.values[parent]


class ValueReplacesChildren(Specimen):
    """Drops everything below `a` when `a` itself is written: the folder makes room for the file."""

    breaks = "K3"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        for operation in operations:
            new = isinstance(operation, Put) and operation.key not in self.store.values
            if new and self.store.index.has_below(operation.key):
                self.store.cascade(operation.key)
        await super()._apply(operations, fence)


class IndexIsTheParent(Folding):
    """Keeps `a` in the file `a/index`, so `a` and `a/index` are one record."""

    breaks = "K3"
    folds_prefixes = False

    def _folded(self, key: str) -> str:
        return key.removesuffix("/index")


class LastChildTakesParent(Specimen):
    """Removes a parent's value with its last child: an empty folder is swept away, file and all."""

    breaks = "K3"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        before = set(self.store.values)
        await super()._apply(operations, fence)
        for operation in operations:
            parent = operation.key.rpartition("/")[0]
            deleted = operation.key in before and operation.key not in self.store.values
            if deleted and parent in self.store.values and not self.store.index.has_below(parent):
                self.store.cascade(parent)


SPECIMENS = (
    FileOrFolder,
    ChildReplacesValue,
    ValueReplacesChildren,
    IndexIsTheParent,
    LastChildTakesParent,
)
