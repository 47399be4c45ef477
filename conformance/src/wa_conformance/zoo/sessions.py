"""Specimens of chapter N: sessions that see each other, and stores of tomorrow that are misread."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from fnmatch import fnmatchcase

from wa_core.errors import StorageError
from wa_core.storage import CONTRACT_VERSION, Entry, MemoryStore

from wa_conformance.zoo.base import Folding, Specimen


class SessionsIgnoreCase(Specimen):
    """Keeps the sessions `Bot` and `bot` in one place: a folder that folds case."""

    breaks = "N1"

    @classmethod
    def place(cls, session: str) -> str:
        """Fold the name."""
        return session.lower()


class SessionsSanitised(Specimen):
    """Replaces what a file name cannot hold: the sessions `a/b` and `a_b` are one."""

    breaks = "N1"

    @classmethod
    def place(cls, session: str) -> str:
        """Replace all but letters and digits."""
        return re.sub(r"[^\w.-]", "_", session)


class SessionsTrimmed(Specimen):
    """Trims the names of sessions."""

    breaks = "N1"

    @classmethod
    def place(cls, session: str) -> str:
        """Drop what surrounds the name."""
        return session.strip(" .")


class SessionsCut(Specimen):
    """Keeps the first 63 bytes of a session's name: a PostgreSQL identifier."""

    breaks = "N1"

    @classmethod
    def place(cls, session: str) -> str:
        """Cut the name."""
        return session.encode()[:63].decode(errors="ignore")


class _OnePlace(Folding):
    """Keeps all sessions in one place, told apart by what keys begin with."""

    separator = ":"

    @classmethod
    def place(cls, session: str) -> str:
        """Share one place."""
        return ""

    def _folded(self, key: str) -> str:
        return f"{self.session}{self.separator}{key}"

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        begun = len(self._folded(""))
        return [key[begun:] for key in await super()._list(prefix, offset, limit)]

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        begun = len(self._folded(""))
        async for entry in super()._scan(self._folded(prefix)):
            yield Entry(entry.key[begun:], entry.value, entry.at)

    async def _clear(self) -> None:
        await self.store.answering()
        for key in list(self.store.index.keys(self._folded(""))):
            self.store.cascade(key)

    def residue(self) -> list[str]:
        """Name what is kept for this session."""
        return list(self.store.index.keys(self._folded("")))


class SessionsJoinedByColon(_OnePlace):
    """Joins session and key by a colon: `wa:1` + `x` is `wa` + `1:x`, RedisEngine v2.2."""

    breaks = "N1"


class SessionsJoinedBySlash(_OnePlace):
    """Keeps the session `a/b` in the folder of `a`: what `a` lists, it lists of `a/b` as well."""

    breaks = "N1"
    separator = "/"


class SessionsByPattern(_OnePlace):
    """Deletes with the session's name in a pattern: account `wa:*` deletes others' keys."""

    breaks = "N1"
    separator = "\0"

    async def _clear(self) -> None:
        await self.store.answering()
        for key in list(self.store.index.keys()):
            if fnmatchcase(key, self._folded("*")):
                self.store.cascade(key)


class NoSessions(_OnePlace):
    """Has no column for the account: the PostgreSQL example."""

    breaks = "N1"

    def _folded(self, key: str) -> str:
        return key


class ClearWipesAll(_OnePlace):
    """Empties the whole place: FLUSHDB."""

    breaks = "N2"
    separator = "\0"

    async def _clear(self) -> None:
        await self.store.answering()
        for key in list(self.store.index.keys()):
            self.store.cascade(key)


class ClearWipesPrefix(_OnePlace):
    """Empties every session whose name begins like this one's."""

    breaks = "N2"
    separator = "\0"

    async def _clear(self) -> None:
        await self.store.answering()
        for key in list(self.store.index.keys(self.session)):
            self.store.cascade(key)


class ClearStopsAtPage(Specimen):
    """Empties the first fifty keys: it lists with the default limit."""

    breaks = "N2"

    async def _clear(self) -> None:
        for key in await self._list("", 0, 50):
            self.store.cascade(key)


class ClearSparesFolders(Specimen):
    """Deletes the files of the session's folder, not the folders."""

    breaks = "N2"

    async def _clear(self) -> None:
        for key in await self._list("", 0, None):
            if "/" not in key:
                self.store.cascade(key)


class ReadsNewerStore(Specimen):
    """Opens what a newer contract wrote, and reads it by the old rules."""

    breaks = "N3"

    @classmethod
    def check_version(cls, store: MemoryStore) -> None:
        """Look at nothing."""


class NewerIsSomeError(Specimen):
    """Says `StorageError` to a newer store, so that a repair tool would try its luck."""

    breaks = "N3"

    @classmethod
    def check_version(cls, store: MemoryStore) -> None:
        """Refuse without a reason."""
        if store.version > CONTRACT_VERSION:
            raise StorageError("unexpected format")


class NewerIsEmptied(Specimen):
    """Begins anew over what it cannot read."""

    breaks = "N3"

    @classmethod
    def check_version(cls, store: MemoryStore) -> None:
        """Throw away, then refuse."""
        if store.version > CONTRACT_VERSION:
            for key in list(store.index.keys()):
                store.cascade(key)
        super().check_version(store)


SPECIMENS = (
    SessionsIgnoreCase,
    SessionsSanitised,
    SessionsTrimmed,
    SessionsCut,
    SessionsJoinedByColon,
    SessionsJoinedBySlash,
    SessionsByPattern,
    NoSessions,
    ClearWipesAll,
    ClearWipesPrefix,
    ClearStopsAtPage,
    ClearSparesFolders,
    ReadsNewerStore,
    NewerIsSomeError,
    NewerIsEmptied,
)
