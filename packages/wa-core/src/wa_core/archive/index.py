"""Finding records in an archive without holding their keys: eight bytes for a place, eight for a
position, and every sixty-fourth key.

The records lie in the order of their keys, so a key is found by reading the few that stand around
it. A rank is the place of a record in that order; its frame has the number behind it.
"""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import islice

from wa_core.archive.reader import ArchiveReader
from wa_core.storage import MAX_POSITION, Entry
from wa_core.storage.keys import end_of

STRIDE = 64
_PIECE = 2**16


class ArchiveIndex:
    """All records of one archive; making it reads and proves the whole file."""

    def __init__(self, reader: ArchiveReader) -> None:
        self._reader = reader
        self._places = array("Q")
        self._positions = array("Q")
        self._signposts: list[str] = []
        self._newest: array[int] | None = None
        for place, entry in reader.entries():
            if len(self._places) % STRIDE == 0:
                self._signposts.append(entry.key)
            self._places.append(place)
            self._positions.append(entry.at)

    def find(self, key: str) -> Entry | None:
        """Return a record; None with proof that there is none."""
        rank = self._rank(key)
        if rank == len(self._places):
            return None
        entry = self.entry(rank)
        return entry if entry.key == key else None

    def entry(self, rank: int) -> Entry:
        """Read the record of a rank."""
        return self._reader.entry_at(rank + 1, self._places[rank])

    def span(self, prefix: str) -> range:
        """Return the ranks of the keys that begin with `prefix`."""
        end = end_of(prefix)
        return range(
            self._rank(prefix) if prefix else 0,
            len(self._places) if end is None else self._rank(end),
        )

    def page(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        """List keys, highest position first, equal ones by key [O2]."""
        span = self.span(prefix)
        stop = None if limit is None else offset + limit
        if len(span) < len(self._places):
            if len(span) * 8 < len(self._places):
                ranks: Sequence[int] = sorted(span, key=self._order)[offset:stop]
            else:
                ranks = list(islice((r for r in self._by_age() if r in span), offset, stop))
        else:
            ranks = self._by_age()[offset:stop]
        return [self.entry(rank).key for rank in ranks]

    def _order(self, rank: int) -> int:
        """Return what ranks are sorted by: the newest first, equal ones by key."""
        return (MAX_POSITION - self._positions[rank]) << 32 | rank

    def _by_age(self) -> array[int]:
        if self._newest is None:
            ranks = range(len(self._places))
            # Sorted in pieces: a Python int for each record at once would be most of the memory.
            pieces = [
                array("I", sorted(ranks[start : start + _PIECE], key=self._order))
                for start in ranks[::_PIECE]
            ]
            self._newest = array("I", heapq.merge(*pieces, key=self._order))
        return self._newest

    def _rank(self, key: str) -> int:
        """Count the keys before `key`."""
        post = bisect_right(self._signposts, key) - 1
        if post < 0:
            return 0
        ranks = range(post * STRIDE, min((post + 1) * STRIDE, len(self._places)))
        return ranks.start + bisect_left(ranks, key, key=lambda rank: self.entry(rank).key)
