"""What the specimens are made of: a healthy engine in memory, and ways to spoil it.

The idea: a specimen is the healthy engine with one method changed, so that the bug is all there is
to read. Calling a class with a session's name opens that session; objects of one class and one
session share a store, as two clients of one backend would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from wa_core.errors import StoreVersionError
from wa_core.storage import (
    CONTRACT_VERSION,
    FULL,
    Batch,
    Capabilities,
    Delete,
    Durability,
    Engine,
    Lease,
    MemoryEngine,
    MemoryStore,
    Operation,
    Put,
)

TIMEOUT_S = 2.0
"""Shorter than the default: a call that a bug lets wait for ever costs the suite this much."""

CAPABILITIES = Capabilities(
    durability=Durability.VOLATILE,
    shared=True,
    claims=FULL - {"D1", "D2"},
)


class SpecimenHooks:
    """How the suite reaches behind a specimen; the specimen knows how."""

    async def damage(self, engine: Engine, key: str) -> None:
        """Make the record of `key` unreadable."""
        _specimen(engine).damage(key)

    async def stall(self, engine: Engine) -> None:
        """Let the backend fall silent."""
        _specimen(engine).stall()

    async def resume(self, engine: Engine) -> None:
        """Let the backend answer again."""
        _specimen(engine).resume()

    async def residue(self, engine: Engine) -> list[str]:
        """Name all that the backend keeps for the session."""
        return _specimen(engine).residue()

    async def pretend_newer(self, engine: Engine) -> None:
        """Make the store look written by a newer contract."""
        _specimen(engine).pretend_newer()


class Breakable(Engine):
    """What the hooks ask of a specimen."""

    breaks: ClassVar[str] = ""
    """The clause that the specimen breaks; a control breaks none."""
    hooks: ClassVar[SpecimenHooks] = SpecimenHooks()

    def damage(self, key: str) -> None:
        """Make the record of `key` unreadable."""
        raise NotImplementedError

    def stall(self) -> None:
        """Answer no call until `resume`."""
        raise NotImplementedError

    def resume(self) -> None:
        """Answer again."""
        raise NotImplementedError

    def residue(self) -> list[str]:
        """Name all that the backend keeps for the session."""
        raise NotImplementedError

    def pretend_newer(self) -> None:
        """Look written by a newer contract."""
        raise NotImplementedError


class Specimen(MemoryEngine, Breakable):
    """The healthy engine in memory: every specimen without a disk begins here."""

    store_type: ClassVar[type[MemoryStore]] = MemoryStore
    promises: ClassVar[Capabilities] = CAPABILITIES
    _places: ClassVar[dict[tuple[type, str], MemoryStore]] = {}

    def __init__(self, session: str, *, timeout: float | str = TIMEOUT_S) -> None:
        store = self._places.setdefault((type(self), self.place(session)), self.store_type())
        self.check_version(store)
        super().__init__(store, timeout=float(timeout))
        self._capabilities = self.promises
        self.session = session
        self._begin()

    def _begin(self) -> None:
        """Prepare what one object keeps to itself."""

    @classmethod
    def place(cls, session: str) -> str:
        """Name the store of a session."""
        return session

    @classmethod
    def check_version(cls, store: MemoryStore) -> None:
        """Refuse what a newer contract wrote [N3]."""
        if store.version > CONTRACT_VERSION:
            raise StoreVersionError(store.version, CONTRACT_VERSION)

    def damage(self, key: str) -> None:
        """Make the record of `key` unreadable."""
        self.store.damage(key)

    def stall(self) -> None:
        """Answer no call until `resume`."""
        self.store.stall()

    def resume(self) -> None:
        """Answer again."""
        self.store.resume()

    def residue(self) -> list[str]:
        """Name the values and the index rows of the session."""
        return sorted({*self.store.values, *self.store.index.keys()})

    def pretend_newer(self) -> None:
        """Look written by a newer contract."""
        self.store.version = CONTRACT_VERSION + 1


class Folding(Specimen):
    """Keeps each key under another name; `_folded` says which."""

    folds_prefixes: ClassVar[bool] = True

    def _folded(self, key: str) -> str:
        raise NotImplementedError

    def _prefix(self, prefix: str) -> str:
        return self._folded(prefix) if self.folds_prefixes else prefix

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        names = {key: self._folded(key) for key in keys}
        found = await super()._get_many(list(dict.fromkeys(names.values())))
        return {key: found[name] for key, name in names.items() if name in found}

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply([self._renamed(operation) for operation in operations], fence)

    def _renamed(self, operation: Operation) -> Operation:
        return replace(operation, key=self._folded(operation.key))

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        return await super()._list(self._prefix(prefix), offset, limit)

    async def _count(self, prefix: str) -> int:
        return await super()._count(self._prefix(prefix))

    def damage(self, key: str) -> None:
        """Make the record of `key` unreadable."""
        super().damage(self._folded(key))


def unchecked(*operations: Operation) -> Batch:
    """Build a batch that no check of keys or values has seen."""
    batch = Batch()
    batch._operations.extend(operations)
    return batch


def keys_put(operations: Sequence[Operation]) -> list[str]:
    """List the keys that a batch writes."""
    return [operation.key for operation in operations if isinstance(operation, Put)]


def cascade_of(key: str, keys: Sequence[str]) -> list[str]:
    """List what a delete of `key` removes from `keys` [C1]."""
    return [each for each in keys if each == key or each.startswith(key + "/")]


def is_delete(operation: Operation) -> bool:
    """Tell a delete from a put."""
    return isinstance(operation, Delete)


def _specimen(engine: Engine) -> Breakable:
    if not isinstance(engine, Breakable):
        raise TypeError(f"{type(engine).__name__} is no specimen")
    return engine
