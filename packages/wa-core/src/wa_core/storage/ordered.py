"""An index in memory: keys to positions, with pages newest first [O2, O6].

The idea: one list of all keys in byte order serves every prefix and every cascade; a prefix that
ends in '/' and spans more than a few keys has, beside it, a second list in page order. A small
prefix is sorted when it is asked for, so the thousands of folders with three keys cost nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from sortedcontainers import SortedList

from wa_core.storage.keys import ancestors, end_of
from wa_core.storage.pageorder import PageOrder, Row

VIEW_FROM = 64
"""A path prefix that spans this many keys gets a view of its own."""
VIEW_UNTIL = 32
"""A view that shrank below this is dropped again."""


class OrderedIndex:
    """Keys with positions, counted and paged by prefix."""

    def __init__(self) -> None:
        self._position: dict[str, int] = {}
        self._keys: SortedList[str] = SortedList()
        self._counts: dict[str, int] = {"": 0}
        self._views: dict[str, PageOrder] = {}

    def __len__(self) -> int:
        return len(self._position)

    def __contains__(self, key: object) -> bool:
        return key in self._position

    def position(self, key: str) -> int | None:
        """Return where `key` stands, or None when it is absent."""
        return self._position.get(key)

    def load(self, positions: dict[str, int]) -> None:
        """Fill an empty index in one pass; the index keeps `positions`."""
        self._position = positions
        ordered = sorted(positions)
        self._keys = SortedList(ordered)
        self._counts = _counted(ordered)
        # Stable sorting by position alone keeps the byte order among equals.
        ordered.sort(key=positions.__getitem__, reverse=True)
        rows: dict[str, list[Row]] = {
            folder: [] for folder, count in self._counts.items() if count >= VIEW_FROM
        }
        takers: dict[str, tuple[Callable[[Row], None], ...]] = {}
        for key in ordered:
            folder = key[: key.rfind("/") + 1]
            found = takers.get(folder)
            if found is None:
                found = tuple(rows[above].append for above in ancestors(folder) if above in rows)
                takers[folder] = found
            row = (-positions[key], key)
            for take in found:
                take(row)
        self._views = {folder: PageOrder(found) for folder, found in rows.items()}

    def put(self, key: str, position: int) -> None:
        """Add `key`, or move it to its new position [O3]."""
        self.put_all({key: position})

    def put_all(self, positions: Mapping[str, int]) -> None:
        """Add or move keys; those that share a folder share most of the work."""
        added: dict[str, list[Row]] = {}
        for key, position in positions.items():
            before = self._position.get(key)
            self._position[key] = position
            row = (-position, key)
            if before is None:
                added.setdefault(key[: key.rfind("/") + 1], []).append(row)
            elif before != position:
                self._move(key, (-before, key), row)
        for folder, rows in added.items():
            self._keys.update([key for _, key in rows])
            self._grow(folder, rows)

    def discard(self, key: str) -> bool:
        """Forget `key`; tell whether it was there."""
        position = self._position.pop(key, None)
        if position is None:
            return False
        self._keys.remove(key)
        row = (-position, key)
        for folder in ancestors(key):
            self._shrink(folder, row)
        return True

    def under(self, key: str) -> list[str]:
        """List what a cascade from `key` removes: itself, if there, and all below it [C1]."""
        found = [key] if key in self._position else []
        found.extend(self.keys(key + "/"))
        return found

    def has_below(self, key: str) -> bool:
        """Tell whether any key lies below `key` [K3]."""
        return key + "/" in self._counts

    def keys(self, prefix: str = "", *, after: str | None = None) -> Iterator[str]:
        """Iterate the keys that begin with `prefix` in byte order, those behind `after` only."""
        end = end_of(prefix)
        if after is not None:
            return iter(self._keys.irange(after, end, inclusive=(False, False)))
        return iter(self._keys.irange(prefix, end, inclusive=(True, False)))

    def count(self, prefix: str = "") -> int:
        """Count the keys that begin with `prefix`, reading none of them."""
        if prefix == "" or prefix.endswith("/"):
            return self._counts.get(prefix, 0)
        end = end_of(prefix)
        last = len(self._keys) if end is None else self._keys.bisect_left(end)
        return int(last - self._keys.bisect_left(prefix))

    def page(self, prefix: str = "", offset: int = 0, limit: int | None = None) -> list[str]:
        """List keys that begin with `prefix`, highest position first, ties by key [O2]."""
        view = self._views.get(prefix)
        if view is None:
            stop = None if limit is None else offset + limit
            return [key for _, key in self._sorted_rows(prefix)[offset:stop]]
        return [key for _, key in view.page(offset, limit)]

    def _sorted_rows(self, prefix: str) -> list[Row]:
        position = self._position
        return sorted([(-position[key], key) for key in self.keys(prefix)])

    def _move(self, key: str, old: Row, row: Row) -> None:
        for folder in ancestors(key):
            view = self._views.get(folder)
            if view is not None:
                view.remove(old)
                view.add(row)

    def _grow(self, folder: str, rows: list[Row]) -> None:
        for above in ancestors(folder):
            count = self._counts[above] = self._counts.get(above, 0) + len(rows)
            view = self._views.get(above)
            if view is not None:
                for row in rows:
                    view.add(row)
            elif count >= VIEW_FROM:
                self._views[above] = PageOrder(self._sorted_rows(above))

    def _shrink(self, folder: str, row: Row) -> None:
        count = self._counts[folder] = self._counts[folder] - 1
        if count == 0 and folder:
            del self._counts[folder]
        view = self._views.get(folder)
        if view is None:
            return
        if count < VIEW_UNTIL:
            del self._views[folder]
        else:
            view.remove(row)


def _counted(keys: list[str]) -> dict[str, int]:
    """Count the keys below every folder, each folder adding to its parent once."""
    counts: dict[str, int] = Counter(key[: key.rfind("/") + 1] for key in keys)
    levels: list[list[str]] = []
    for folder in list(counts):
        depth = folder.count("/")
        while len(levels) <= depth:
            levels.append([])
        levels[depth].append(folder)
    for depth in range(len(levels) - 1, 0, -1):
        for folder in levels[depth]:
            parent = folder[: folder.rfind("/", 0, -1) + 1]
            if parent not in counts:
                counts[parent] = 0
                levels[depth - 1].append(parent)
            counts[parent] += counts[folder]
    counts.setdefault("", 0)
    return dict(counts)
