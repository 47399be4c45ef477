"""Specimens of chapter O, second half: prefixes, pages and what they cost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from wa_core.errors import StorageError
from wa_core.storage import Entry, Lease, Operation

from wa_conformance.zoo.base import Specimen, keys_put

Page = list[str]


class _OwnPrefix(Specimen):
    """Lists what `_begins` says begins with the prefix."""

    def _begins(self, key: str, prefix: str) -> bool:
        raise NotImplementedError

    async def _list(self, prefix: str, offset: int, limit: int | None) -> Page:
        keys = [key for key in await super()._list("", 0, None) if self._begins(key, prefix)]
        return keys[offset : None if limit is None else offset + limit]


class PrefixIsFolder(_OwnPrefix):
    """Takes every prefix for a folder: `chat/1` lists `chat/1/x` but not `chat/10`, FileEngine."""

    breaks = "O2"

    def _begins(self, key: str, prefix: str) -> bool:
        folder = prefix.removesuffix("/")
        return not prefix or key.startswith(folder + "/") or key == prefix


class ListsDirectChildren(_OwnPrefix):
    """Lists the files of a folder, not those of the folders in it: arcaelas at HEAD."""

    breaks = "O2"

    def _begins(self, key: str, prefix: str) -> bool:
        if not prefix.endswith("/"):
            return key.startswith(prefix)
        return key.startswith(prefix) and "/" not in key[len(prefix) :]


class GlobsInList(_OwnPrefix):
    """Lists by `prefix*` as a pattern: MATCH built from the raw prefix."""

    breaks = "O2"

    def _begins(self, key: str, prefix: str) -> bool:
        return fnmatchcase(key, prefix + "*")


class LikeInList(_OwnPrefix):
    """Lists with `LIKE 'prefix%'` and escapes nothing."""

    breaks = "O2"

    def _begins(self, key: str, prefix: str) -> bool:
        pattern = re.escape(prefix).replace("_", ".").replace("%", ".*")
        return re.match(pattern, key, re.DOTALL) is not None


class RegexInList(_OwnPrefix):
    """Lists with `^prefix` as a regular expression."""

    breaks = "O2"

    def _begins(self, key: str, prefix: str) -> bool:
        try:
            return re.match(prefix, key) is not None
        except re.error:
            return key.startswith(prefix)


class PrefixIgnoresCase(_OwnPrefix):
    """Finds `Chat/` under `chat/`: LIKE of SQLite."""

    breaks = "O2"

    def _begins(self, key: str, prefix: str) -> bool:
        return key.lower().startswith(prefix.lower())


class PrefixStopsBeforeLastCharacter(_OwnPrefix):
    """Bounds a prefix by U+FFFF, so that keys that go on with an emoji are not listed."""

    breaks = "O2"

    def _begins(self, key: str, prefix: str) -> bool:
        return prefix <= key < prefix + "\uffff"


class ListLeavesOutFolderKeys(_OwnPrefix):
    """Does not list a key that has keys below it: it is a folder."""

    breaks = "O2"

    def _begins(self, key: str, prefix: str) -> bool:
        return key.startswith(prefix) and not self.store.index.has_below(key)


class LimitZeroIsAll(Specimen):
    """Tests `if limit`, so a limit of 0 lists everything: RedisEngine (v8)."""

    breaks = "O4"

    async def list(self, prefix: str = "", offset: int = 0, limit: int | None = 50) -> Page:
        """List everything when asked for nothing."""
        return await super().list(prefix, offset, limit or None)


class LimitNoneIsFifty(Specimen):
    """Takes None for "the default": nobody can list everything."""

    breaks = "O4"

    async def list(self, prefix: str = "", offset: int = 0, limit: int | None = 50) -> Page:
        """List fifty when asked for all."""
        return await super().list(prefix, offset, 50 if limit is None else limit)


class LimitNoneIsHundred(Specimen):
    """Caps a page at a hundred keys, asked or not: the answer of a list API."""

    breaks = "O4"

    async def list(self, prefix: str = "", offset: int = 0, limit: int | None = 50) -> Page:
        """List a hundred at most."""
        return await super().list(prefix, offset, 100 if limit is None else min(limit, 100))


class DefaultLimitIgnored(Specimen):
    """Lists everything when no limit is given, instead of fifty."""

    breaks = "O4"

    async def list(self, prefix: str = "", offset: int = 0, limit: int | None = None) -> Page:
        """List all, or as many as asked for."""
        return await super().list(prefix, offset, limit)


class NegativeOffsetAccepted(Specimen):
    """Slices with a negative offset and returns the end of the list."""

    breaks = "O4"

    async def list(self, prefix: str = "", offset: int = 0, limit: int | None = 50) -> Page:
        """Count from the end."""
        if isinstance(offset, int) and offset < 0:
            return (await super().list(prefix, 0, None))[offset:][:limit]
        return await super().list(prefix, offset, limit)


class NegativeLimitIsAll(Specimen):
    """Takes a limit of -1 for all, as SQLite and Redis do."""

    breaks = "O4"

    async def list(self, prefix: str = "", offset: int = 0, limit: int | None = 50) -> Page:
        """List everything when the limit is negative."""
        if isinstance(limit, int) and limit < 0:
            limit = None
        return await super().list(prefix, offset, limit)


class OffsetPastEndRaises(Specimen):
    """Raises for a page behind the last one."""

    breaks = "O4"

    async def _list(self, prefix: str, offset: int, limit: int | None) -> Page:
        if offset > self.store.index.count(prefix):
            raise StorageError("no such page")
        return await super()._list(prefix, offset, limit)


class OffsetPastEndStartsAgain(Specimen):
    """Begins from the start when a page lies behind the end."""

    breaks = "O4"

    async def _list(self, prefix: str, offset: int, limit: int | None) -> Page:
        count = self.store.index.count(prefix)
        return await super()._list(prefix, offset % count if count else 0, limit)


class OffsetWithoutLimitIgnored(Specimen):
    """Forgets the offset when there is no limit: SQL wants both."""

    breaks = "O4"

    async def _list(self, prefix: str, offset: int, limit: int | None) -> Page:
        return await super()._list(prefix, 0 if limit is None else offset, limit)


class PagesOverlap(Specimen):
    """Begins each page with the last key of the one before: an inclusive cursor."""

    breaks = "O5"

    async def _list(self, prefix: str, offset: int, limit: int | None) -> Page:
        return await super()._list(prefix, max(0, offset - 1), limit)


class PagesSkip(Specimen):
    """Leaves one key out between two pages: an exclusive cursor on top of an offset."""

    breaks = "O5"

    async def _list(self, prefix: str, offset: int, limit: int | None) -> Page:
        return await super()._list(prefix, offset + 1 if offset else 0, limit)


class OffsetCountsPages(Specimen):
    """Takes the offset for the number of a page."""

    breaks = "O5"

    async def _list(self, prefix: str, offset: int, limit: int | None) -> Page:
        return await super()._list(prefix, offset * (limit or 1), limit)


class PagesSortedOneByOne(Specimen):
    """Cuts the page out first and sorts it afterwards: RedisEngine v2.2."""

    breaks = "O5"

    async def _list(self, prefix: str, offset: int, limit: int | None) -> Page:
        keys = list(self.store.index.keys(prefix))
        page = keys[offset : None if limit is None else offset + limit]
        return sorted(page, key=lambda key: (-(self.store.index.position(key) or 0), key))


class ListStopsEarly(Specimen):
    """Stops looking after offset + limit + 100 keys: RedisEngine's SCAN loop."""

    breaks = "O5"

    async def _list(self, prefix: str, offset: int, limit: int | None) -> Page:
        if limit is None:
            return await super()._list(prefix, offset, limit)
        seen = list(self.store.index.keys(prefix))[: offset + limit + 100]
        seen.sort(key=lambda key: (-(self.store.index.position(key) or 0), key))
        return seen[offset : offset + limit]


class DeepPagesEmpty(Specimen):
    """Refuses to go deeper than a thousand keys and returns an empty page there."""

    breaks = "O5"

    async def _list(self, prefix: str, offset: int, limit: int | None) -> Page:
        return [] if offset >= 1000 else await super()._list(prefix, offset, limit)


class TiesShuffleBetweenPages(Specimen):
    """Lets equal positions swap places between two calls: ORDER BY without a second column."""

    breaks = "O5"
    _turn_over = False

    async def _list(self, prefix: str, offset: int, limit: int | None) -> Page:
        self._turn_over = not self._turn_over
        keys = sorted(await super()._list(prefix, 0, None), reverse=self._turn_over)
        keys.sort(key=lambda key: -(self.store.index.position(key) or 0))
        return keys[offset : None if limit is None else offset + limit]


class SlowPages(Specimen):
    """Sorts everything below the prefix for each page: `readdir`, `stat`, sort."""

    breaks = "O6"

    async def _list(self, prefix: str, offset: int, limit: int | None) -> Page:
        rows = [(-(self.store.index.position(k) or 0), k) for k in self.store.index.keys(prefix)]
        rows.sort()
        return [key for _, key in rows][offset : None if limit is None else offset + limit]


class SlowRootPages(Specimen):
    """Has an index for each folder, but none for the empty prefix."""

    breaks = "O6"

    async def _list(self, prefix: str, offset: int, limit: int | None) -> Page:
        if prefix:
            return await super()._list(prefix, offset, limit)
        rows = [(-(self.store.index.position(k) or 0), k) for k in self.store.index.keys("")]
        rows.sort()
        return [key for _, key in rows][offset : None if limit is None else offset + limit]


class CountsEverything(Specimen):
    """Counts one prefix by walking over all others too: COUNT without an index."""

    breaks = "O6"

    async def _count(self, prefix: str) -> int:
        return sum(1 for key in self.store.index.keys("") if key.startswith(prefix))


class CountLoadsValues(Specimen):
    """Counts by reading every record, so that one damaged record breaks the count."""

    breaks = "O6"

    async def _count(self, prefix: str) -> int:
        return len([Entry(key, self.store.read(key), 0) for key in self.store.index.keys(prefix)])


class ListLoadsValues(Specimen):
    """Reads the records it lists, so that one damaged record breaks the page."""

    breaks = "O6"

    async def _list(self, prefix: str, offset: int, limit: int | None) -> Page:
        page = await super()._list(prefix, offset, limit)
        await self._get_many(page)
        return page


class CountIgnoresHalfSegments(Specimen):
    """Counts folders only: a prefix that ends inside a segment counts as its folder."""

    breaks = "O2"

    async def _count(self, prefix: str) -> int:
        return await super()._count(prefix[: prefix.rfind("/") + 1])


class CountDrifts(Specimen):
    """Keeps one number that every put raises, also one that rewrites."""

    breaks = "O3"
    _extra = 0

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        self._extra += sum(key in self.store.values for key in keys_put(operations))
        await super()._apply(operations, fence)

    async def _count(self, prefix: str) -> int:
        return await super()._count(prefix) + (0 if prefix else self._extra)


SPECIMENS = (
    PrefixIsFolder,
    ListsDirectChildren,
    GlobsInList,
    LikeInList,
    RegexInList,
    PrefixIgnoresCase,
    PrefixStopsBeforeLastCharacter,
    ListLeavesOutFolderKeys,
    LimitZeroIsAll,
    LimitNoneIsFifty,
    LimitNoneIsHundred,
    DefaultLimitIgnored,
    NegativeOffsetAccepted,
    NegativeLimitIsAll,
    OffsetPastEndRaises,
    OffsetPastEndStartsAgain,
    OffsetWithoutLimitIgnored,
    PagesOverlap,
    PagesSkip,
    OffsetCountsPages,
    PagesSortedOneByOne,
    ListStopsEarly,
    DeepPagesEmpty,
    TiesShuffleBetweenPages,
    SlowPages,
    SlowRootPages,
    CountsEverything,
    CountLoadsValues,
    ListLoadsValues,
    CountIgnoresHalfSegments,
    CountDrifts,
)
