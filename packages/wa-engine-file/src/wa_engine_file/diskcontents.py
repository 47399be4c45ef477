"""What is known of a session's keys, on the disk: the same memory for ten keys and ten million.

Whoever opens the session makes it anew from manifest, folder and journal; it promises nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from wa_engine_file.change import Change, Facts, Known, position_of
from wa_engine_file.contents import Contents, Found
from wa_engine_file.diskindex import TABLES, DiskIndex, bounds
from wa_engine_file.lines import GONE, columns, sum_of
from wa_engine_file.tablespace import MANY, Row, TableSpace

_COLUMNS = "key, at, size, crc"
_PUT = "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)"
_DROP = "DELETE FROM record WHERE key = ?"


class DiskContents(Contents):
    """All of it in a temporary file."""

    def __init__(self) -> None:
        self._space = TableSpace(*TABLES)
        self.index = self._index = DiskIndex(self._space)

    def fill(self, lines: str) -> None:
        """Take whole lines of a manifest."""
        keys, positions, sums = columns(lines)
        last_word = dict(zip(keys, zip(positions, sums, strict=True), strict=True))
        self._space.each(
            _PUT,
            (
                (key, int(at), *(sum_of(known) if known else (None, None)))
                for key, (at, known) in last_word.items()
                if at != GONE
            ),
        )
        if GONE in positions:
            gone = [(key,) for key, (at, _) in last_word.items() if at == GONE]
            self._space.each(_DROP, gone)

    def strangers(self, found: Iterable[Found]) -> Iterator[Found]:
        """Leave out the files whose keys are recorded."""
        left = iter(found)
        while some := list(islice(left, MANY)):
            known = self.known(key for key, _ in some if key is not None)
            yield from (each for each in some if each[0] not in known)

    def adopt(self, positions: Mapping[str, int]) -> None:
        """Add values that somebody else wrote."""
        self._space.each(_PUT, ((key, at, None, None) for key, at in positions.items()))

    def complete(self) -> None:
        """Count what there is; page order comes with the first page."""
        self._index.measure()

    def __len__(self) -> int:
        self._index.measure()
        return len(self._index)

    def known(self, keys: Iterable[str]) -> dict[str, Known]:
        """Return what is recorded of those keys that are present."""
        left, found = iter(dict.fromkeys(keys)), dict[str, Known]()
        while some := list(islice(left, MANY)):
            marks = ",".join("?" * len(some))
            wanted = f"SELECT {_COLUMNS} FROM record WHERE key IN ({marks})"
            found |= _known(self._space.rows(wanted, some))
        return found

    def span(self, prefix: str, *, after: str | None, limit: int) -> dict[str, Known]:
        """Return what is recorded of the next keys."""
        first, end = bounds(prefix)
        how, begin = (">=", first) if after is None else (">", after)
        wanted = f"SELECT {_COLUMNS} FROM record WHERE key {how} ? AND key < ? ORDER BY key LIMIT ?"
        return _known(self._space.rows(wanted, (begin, end, limit)))

    def everything(self) -> Iterator[tuple[str, Known]]:
        """Iterate all keys."""
        after = None
        while some := self.span("", after=after, limit=MANY):
            yield from some.items()
            after = next(reversed(some))

    def largest(self) -> int | None:
        """Return the size of the largest value."""
        wanted = "SELECT max(size), count(*) = count(size) FROM record"
        largest, all_known = self._space.rows(wanted)[0]
        return (largest or 0) if all_known else None

    def close(self) -> None:
        """Give the file back."""
        self._space.close()

    def _take(self, change: Change) -> None:
        known = self.known(change.touched())
        before = {key: position_of(value) for key, value in known.items()}
        after = {key: record.facts.at for key, record in change.records.items()}
        self._space.each(_DROP, ((key,) for key in change.removed))
        self._space.each(_PUT, ((key, *record.facts) for key, record in change.records.items()))
        self._index.follow(before, after)


def _known(rows: Iterable[Row]) -> dict[str, Known]:
    return {key: at if size is None else Facts(at, size, crc) for key, at, size, crc in rows}
