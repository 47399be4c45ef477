"""An index on the disk: keys to positions, with pages newest first, in the memory of a cache [O2].

The idea: one table in byte order serves every prefix and every cascade. Page order is made for a
prefix when its first page is asked for, and kept from then on: whoever only copies or counts never
pays for it. A small prefix is sorted each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count

from wa_core.storage.keys import ancestors, end_of

from wa_engine_file.tablespace import MANY, TableSpace

VIEW_FROM = 64
"""A path prefix that spans this many keys has its page order kept."""
VIEW_UNTIL = 32
"""One that shrank below this is sorted again each time."""

TABLES = (
    """CREATE TABLE record
    (key TEXT PRIMARY KEY, at INTEGER NOT NULL, size INTEGER, crc INTEGER) WITHOUT ROWID""",
    """CREATE TABLE page
    (view INTEGER, age INTEGER, key TEXT, PRIMARY KEY (view, age, key)) WITHOUT ROWID""",
)
"""`age` is the negated position: ascending is page order."""

_BETWEEN = "key >= ? AND key < ?"
_BEHIND = "key > ? AND key < ?"


class DiskIndex:
    """Keys with positions, counted and paged by prefix."""

    def __init__(self, space: TableSpace) -> None:
        self._space = space
        self._length = 0
        self._views: dict[str, int] = {}
        """The numbers of the path prefixes whose page order is kept."""
        self._prefixes: dict[int, str] = {}
        self._spans: Counter[int] = Counter()
        """How many keys each of them spans."""
        self._numbers = count()

    def __len__(self) -> int:
        return self._length

    def __contains__(self, key: object) -> bool:
        return self._space.one("SELECT 1 FROM record WHERE key = ?", (key,)) is not None

    def position(self, key: str) -> int | None:
        """Return where `key` stands, or None when it is absent."""
        found: int | None = self._space.one("SELECT at FROM record WHERE key = ?", (key,))
        return found

    def under(self, key: str) -> list[str]:
        """List what a cascade from `key` removes [C1]."""
        found = [key] if key in self else []
        found.extend(self.keys(key + "/"))
        return found

    def has_below(self, key: str) -> bool:
        """Tell whether any key lies below `key` [K3]."""
        wanted = f"SELECT 1 FROM record WHERE {_BETWEEN} LIMIT 1"
        return self._space.one(wanted, bounds(key + "/")) is not None

    def keys(self, prefix: str = "", *, after: str | None = None) -> Iterator[str]:
        """Iterate the keys that begin with `prefix` in byte order, those behind `after` only."""
        (first, end), how = bounds(prefix), _BETWEEN
        if after is not None:
            first, how = after, _BEHIND
        while True:
            step = f"SELECT key FROM record WHERE {how} ORDER BY key LIMIT {MANY}"
            some = self._space.rows(step, (first, end))
            yield from (key for (key,) in some)
            if len(some) < MANY:
                return
            first, how = some[-1][0], _BEHIND

    def count(self, prefix: str = "") -> int:
        """Count the keys that begin with `prefix`."""
        if not prefix:
            return self._length
        if prefix in self._views:
            return self._spans[self._views[prefix]]
        wanted = f"SELECT count(*) FROM record WHERE {_BETWEEN}"
        return int(self._space.one(wanted, bounds(prefix)))

    def page(self, prefix: str = "", offset: int = 0, limit: int | None = None) -> list[str]:
        """List keys that begin with `prefix`, highest position first, ties by key [O2]."""
        view, some = self._view(prefix), (-1 if limit is None else limit, offset)
        if view is None:
            wanted = f"SELECT key FROM record WHERE {_BETWEEN} ORDER BY at DESC, key"
            found = self._space.rows(f"{wanted} LIMIT ? OFFSET ?", (*bounds(prefix), *some))
        else:
            wanted = "SELECT key FROM page WHERE view = ? ORDER BY age, key"
            found = self._space.rows(f"{wanted} LIMIT ? OFFSET ?", (view, *some))
        return [key for (key,) in found]

    def measure(self) -> None:
        """Count what a filling has brought."""
        self._length = int(self._space.one("SELECT count(*) FROM record"))

    def follow(self, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        """Follow the records of some keys from their positions before to those after."""
        self._length += len(after.keys() - before.keys()) - len(before.keys() - after.keys())
        if not self._views:
            return
        old, new = list(self._rows(before)), list(self._rows(after))
        self._space.each("DELETE FROM page WHERE view = ? AND age = ? AND key = ?", old)
        self._space.each("INSERT INTO page VALUES (?, ?, ?)", new)
        self._spans.update(view for view, _, _ in new)
        self._spans.subtract(view for view, _, _ in old)
        for view in {view for view, _, _ in old}:
            if self._spans[view] < VIEW_UNTIL:
                self._space.rows("DELETE FROM page WHERE view = ?", (view,))
                del self._spans[view], self._views[self._prefixes.pop(view)]

    def _rows(self, positions: Mapping[str, int]) -> Iterator[tuple[int, int, str]]:
        views = self._views
        for key, at in positions.items():
            for folder in ancestors(key):
                if folder in views:
                    yield views[folder], -at, key

    def _view(self, prefix: str) -> int | None:
        """Return the number of a path prefix whose page order is kept, from now on or already."""
        if prefix in self._views:
            return self._views[prefix]
        span = bounds(prefix)
        least = f"SELECT 1 FROM record WHERE {_BETWEEN} LIMIT 1 OFFSET {VIEW_FROM - 1}"
        if (prefix and not prefix.endswith("/")) or self._space.one(least, span) is None:
            return None
        view = next(self._numbers)
        ordered = f"SELECT ?, -at, key FROM record WHERE {_BETWEEN} ORDER BY at DESC, key"
        self._space.rows(f"INSERT INTO page {ordered}", (view, *span))
        spanned = self._space.one("SELECT count(*) FROM page WHERE view = ?", (view,))
        self._views[prefix], self._prefixes[view], self._spans[view] = view, prefix, int(spanned)
        return view


def bounds(prefix: str) -> tuple[str, str | bytes]:
    """Return the range of the keys that begin with `prefix`; bytes stand above all text."""
    end = end_of(prefix)
    # One above U+D7FF is a surrogate, which is no text: the next that is one is U+E000.
    return prefix, b"" if end is None else end.replace("\ud800", "\ue000")
