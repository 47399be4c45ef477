"""Specimens of chapter C: deletes that take too much or too little, or too long."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from wa_core.errors import StorageError
from wa_core.storage import Delete, Lease, Operation

from wa_conformance.zoo.base import Specimen


class Cascading(Specimen):
    """Asks `_doomed` which keys a delete removes."""

    def _doomed(self, key: str) -> list[str]:
        raise NotImplementedError

    def _matching(self, key: str, pattern: str, flags: int = 0) -> list[str]:
        found = re.compile(pattern, flags)
        return [each for each in self.store.index.keys("") if each == key or found.match(each)]

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply((), fence)
        for each in operations:
            if isinstance(each, Delete):
                for gone in self._doomed(each.key):
                    self._remove(gone)
            else:
                self.store.put(each.key, each.value, each.at)

    def _remove(self, key: str) -> None:
        if self.store.index.discard(key):
            self.store._damaged.discard(key)
            del self.store.values[key]


class GlobsInCascade(Cascading):
    """Deletes by `key/*` as a pattern: `chat/a*c` takes every such chat, RedisEngine v2.2, v8."""

    breaks = "C1"

    def _doomed(self, key: str) -> list[str]:
        return [k for k in self.store.index.keys("") if k == key or fnmatchcase(k, f"{key}/*")]


class QuestionMarksInCascade(Cascading):
    """Escapes `*` and `[` in a pattern, but forgets `?`."""

    breaks = "C1"

    def _doomed(self, key: str) -> list[str]:
        return self._matching(key, re.escape(key).replace(r"\?", "[^/]") + "/")


class LikeInCascade(Cascading):
    """Deletes with `LIKE 'key/%'`, where `_` and `%` match others: the PostgreSQL example."""

    breaks = "C1"

    def _doomed(self, key: str) -> list[str]:
        pattern = re.escape(key).replace("_", ".").replace("%", ".*")
        return self._matching(key, pattern + "/", re.DOTALL)


class LikeIgnoresCaseInCascade(Cascading):
    """Escapes `_` and `%`, but SQLite's LIKE ignores the case of ASCII letters."""

    breaks = "C1"

    def _doomed(self, key: str) -> list[str]:
        return self._matching(key, re.escape(key) + r"(?:/|\Z)", re.IGNORECASE | re.ASCII)


class BackslashEscapesInCascade(Cascading):
    """Escapes wildcards with a backslash, but not the backslash itself, so that it is lost."""

    breaks = "C1"

    def _doomed(self, key: str) -> list[str]:
        return [key, *self.store.index.keys(re.sub(r"\\(.)", r"\1", key) + "/")]


class RegexInCascade(Cascading):
    """Deletes with `^key/` as a regular expression, where `.` and `+` mean more: MongoDB users."""

    breaks = "C1"

    def _doomed(self, key: str) -> list[str]:
        try:
            return self._matching(key, key + "/")
        except re.error:
            return self._matching(key, re.escape(key) + "/")


class DotIsNesting(Cascading):
    """Takes `a.b` for a child of `a`, as MongoDB's field paths do."""

    breaks = "C1"

    def _doomed(self, key: str) -> list[str]:
        return self._matching(key, re.escape(key) + "[/.]")


class ColonIsNesting(Cascading):
    """Takes `a:b` for a child of `a`: Redis keys joined with colons."""

    breaks = "C1"

    def _doomed(self, key: str) -> list[str]:
        return self._matching(key, re.escape(key) + "[/:]")


class CascadeWithoutSlash(Cascading):
    """Deletes all that begins with the key: `chat/12` takes `chat/123`, arcaelas S3."""

    breaks = "C1"

    def _doomed(self, key: str) -> list[str]:
        return list(self.store.index.keys(key))


class CascadeUpToNextByte(Cascading):
    """Deletes the range from `key/` on, but its upper bound `key0` is included."""

    breaks = "C1"

    def _doomed(self, key: str) -> list[str]:
        return [*self.store.index.under(key), key + "0"]


class CascadeFromAnywhere(Cascading):
    """Deletes wherever the key occurs in a path: `LIKE '%key/%'`."""

    breaks = "C1"

    def _doomed(self, key: str) -> list[str]:
        return [k for k in self.store.index.keys("") if k == key or f"/{key}/" in f"/{k}"]


class CascadeMissesGrandchildren(Cascading):
    """Deletes direct children only: a folder's files, not its folders."""

    breaks = "C1"

    def _doomed(self, key: str) -> list[str]:
        return [k for k in self.store.index.under(key) if "/" not in k[len(key) + 1 :]]


class CascadeKeepsOwnValue(Cascading):
    """Deletes what is below a key, and keeps the key where anything was."""

    breaks = "C1"

    def _doomed(self, key: str) -> list[str]:
        return list(self.store.index.keys(f"{key}/")) or [key]


class CascadeNeedsValue(Cascading):
    """Returns early when the key itself holds nothing, and spares its children."""

    breaks = "C1"

    def _doomed(self, key: str) -> list[str]:
        return self.store.index.under(key) if key in self.store.values else []


class CascadeStopsAtPage(Cascading):
    """Deletes the first fifty: the cascade lists with the default limit."""

    breaks = "C1"

    def _doomed(self, key: str) -> list[str]:
        return [key, *self.store.index.page(f"{key}/", 0, 50)]


class CascadeStopsAtThousand(Cascading):
    """Deletes the first thousand: S3's `DeleteObjects` without a second page."""

    breaks = "C1"

    def _doomed(self, key: str) -> list[str]:
        return self.store.index.under(key)[:1000]


class DeleteAbsentRaises(Specimen):
    """Raises for a key that is not there: `unlink` without a look at ENOENT."""

    breaks = "C2"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        only = operations[0] if len(operations) == 1 else None
        if isinstance(only, Delete) and not self.store.index.under(only.key):
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


class SlowDelete(Cascading):
    """Looks at every key of the store for each delete: SCAN MATCH over the whole keyspace."""

    breaks = "C4"

    def _doomed(self, key: str) -> list[str]:
        return [k for k in self.store.index.keys("") if k == key or k.startswith(f"{key}/")]


class SlowDeleteOfLeaf(Cascading):
    """Rewrites the list of its parent's children for each delete: an index kept as one value."""

    breaks = "C4"

    def _doomed(self, key: str) -> list[str]:
        folder = key.rpartition("/")[0]
        siblings = list(self.store.index.keys(folder)) if folder else self.store.index.under(key)
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
    DeleteAbsentRaises,
    DeleteAbsentFailsBatch,
    SlowDelete,
    SlowDeleteOfLeaf,
)
