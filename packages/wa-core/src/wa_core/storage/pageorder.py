"""Rows in page order: newest first, equal positions by key [O2].

The idea: almost every row that comes is newer than all there are. So the rows lie in short lists,
oldest list first and newest row last, and adding the newest is one append; any other place is
found by bisection, in a list first and then in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Row = tuple[int, str]
"""The negated position, then the key: ascending is page order."""

RUN = 1024
"""The rows a list has when it is cut off a longer one; none has more than twice as many."""


class PageOrder:
    """A sorted collection of distinct rows that is cheap to add to at the newest end."""

    __slots__ = ("_length", "_runs")

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        """Take rows that are in page order already."""
        backwards = list(rows)
        backwards.reverse()
        self._length = len(backwards)
        self._runs = [backwards[at : at + RUN] for at in range(0, len(backwards), RUN)] or [[]]

    def __len__(self) -> int:
        return self._length

    def add(self, row: Row) -> None:
        """Add a row that is not there."""
        self._length += 1
        run = self._runs[-1]
        if not run or row < run[-1]:
            if len(run) < RUN:
                run.append(row)
            else:
                self._runs.append([row])
            return
        which = self._run_of(row)
        run = self._runs[which]
        run.insert(_place_in(run, row), row)
        if len(run) > 2 * RUN:
            self._runs[which : which + 1] = [run[:RUN], run[RUN:]]

    def remove(self, row: Row) -> None:
        """Remove a row that is there."""
        which = self._run_of(row)
        run = self._runs[which]
        at = _place_in(run, row)
        if at == len(run) or run[at] != row:
            raise KeyError(row)
        del run[at]
        self._length -= 1
        if not run and len(self._runs) > 1:
            del self._runs[which]

    def page(self, offset: int, limit: int | None) -> Iterator[Row]:
        """Iterate `limit` rows behind the first `offset`, the newest first."""
        left = self._length if limit is None else limit
        for run in reversed(self._runs):
            if left <= 0:
                return
            if offset >= len(run):
                offset -= len(run)
                continue
            end = len(run) - offset
            rows = run[max(0, end - left) : end]
            rows.reverse()
            yield from rows
            left -= len(rows)
            offset = 0

    def _run_of(self, row: Row) -> int:
        """Find the list whose range holds `row`: the first one that ends no older than it."""
        runs = self._runs
        low, high = 0, len(runs) - 1
        while low < high:
            middle = (low + high) // 2
            if runs[middle][-1] > row:
                low = middle + 1
            else:
                high = middle
        return low


def _place_in(run: list[Row], row: Row) -> int:
    """Find where `row` is or belongs in a list that descends."""
    low, high = 0, len(run)
    while low < high:
        middle = (low + high) // 2
        if run[middle] > row:
            low = middle + 1
        else:
            high = middle
    return low
