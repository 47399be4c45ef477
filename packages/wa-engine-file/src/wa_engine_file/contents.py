"""What is known of a session's keys: their order, and what each value must look like.

The idea: one thing to ask, two places to keep it. In memory every answer is at hand; on the disk
(`ondisk.py`) a session of any size takes the same memory. Who asks is one thread at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from os import DirEntry
from typing import Protocol

from wa_core.storage import OrderedIndex

from wa_engine_file.change import Change, Facts, Known
from wa_engine_file.lines import GONE, columns, sum_of

Found = tuple[str | None, "DirEntry[str]"]
"""A file, and the key that its path spells, if it spells one."""


class Index(Protocol):
    """Keys with positions, counted and paged by prefix; `OrderedIndex` is the one in memory."""

    def __len__(self) -> int:
        """Count all keys."""

    def __contains__(self, key: object) -> bool:
        """Tell whether a key is present."""

    def position(self, key: str) -> int | None:
        """Return where a key stands."""

    def under(self, key: str) -> list[str]:
        """List what a cascade removes [C1]."""

    def has_below(self, key: str) -> bool:
        """Tell whether any key lies below [K3]."""

    def keys(self, prefix: str = "", *, after: str | None = None) -> Iterator[str]:
        """Iterate keys in byte order."""

    def count(self, prefix: str = "") -> int:
        """Count keys."""

    def page(self, prefix: str = "", offset: int = 0, limit: int | None = None) -> list[str]:
        """List keys, the newest first [O2]."""


class Contents(ABC):
    """The keys of a session with all that is recorded of them."""

    index: Index
    turn = 0
    """Counts the changes: what was known in the same turn is known still."""

    # Filling, once.

    @abstractmethod
    def fill(self, lines: str) -> None:
        """Take whole lines of a manifest: the last word on each key counts."""

    @abstractmethod
    def strangers(self, found: Iterable[Found]) -> Iterator[Found]:
        """Leave out the files whose keys are recorded."""

    @abstractmethod
    def adopt(self, positions: Mapping[str, int]) -> None:
        """Add values that somebody else wrote."""

    @abstractmethod
    def complete(self) -> None:
        """Put the index in order, now that all is there."""

    # Using it.

    @abstractmethod
    def __len__(self) -> int:
        """Count the keys, also before the index is in order."""

    @abstractmethod
    def known(self, keys: Iterable[str]) -> dict[str, Known]:
        """Return what is recorded of those keys that are present."""

    @abstractmethod
    def span(self, prefix: str, *, after: str | None, limit: int) -> dict[str, Known]:
        """Return what is recorded of the next keys in byte order."""

    @abstractmethod
    def everything(self) -> Iterator[tuple[str, Known]]:
        """Iterate all keys, in any order, with what is recorded of them."""

    @abstractmethod
    def largest(self) -> int | None:
        """Return the size of the largest value; None where one is not recorded."""

    def take(self, change: Change) -> None:
        """Make the change visible."""
        self.turn += 1
        self._take(change)

    @abstractmethod
    def _take(self, change: Change) -> None:
        """Forget what was removed, record what was written."""

    def close(self) -> None:
        """Let go of everything; nothing is asked afterwards."""
        return None


class MemoryContents(Contents):
    """All of it in dictionaries."""

    def __init__(self) -> None:
        self.index = self._index = OrderedIndex()
        self._positions: dict[str, int] = {}
        self._sums: dict[str, str | tuple[int, int]] = {}
        """Size and checksum; from a manifest still as text, for most are never asked for, and
        nothing for a value that was taken over."""

    def fill(self, lines: str) -> None:
        """Take whole lines of a manifest."""
        keys, positions, sums = columns(lines)
        self._positions.update(zip(keys, map(int, positions), strict=True))
        self._sums.update(zip(keys, sums, strict=True))
        if GONE in positions:
            for key in keys:
                if self._positions.get(key) == int(GONE):
                    del self._positions[key], self._sums[key]

    def strangers(self, found: Iterable[Found]) -> Iterator[Found]:
        """Leave out the files whose keys are recorded."""
        positions = self._positions
        return (each for each in found if each[0] not in positions)

    def adopt(self, positions: Mapping[str, int]) -> None:
        """Add values that somebody else wrote."""
        self._positions.update(positions)

    def complete(self) -> None:
        """Put the index in order; from now on the positions are the index's own."""
        self._index.load(self._positions)

    def __len__(self) -> int:
        return len(self._positions)

    def known(self, keys: Iterable[str]) -> dict[str, Known]:
        """Return what is recorded of those keys that are present."""
        positions = self._positions
        return {key: self._known(key, positions[key]) for key in keys if key in positions}

    def span(self, prefix: str, *, after: str | None, limit: int) -> dict[str, Known]:
        """Return what is recorded of the next keys."""
        return self.known(islice(self._index.keys(prefix, after=after), limit))

    def everything(self) -> Iterator[tuple[str, Known]]:
        """Iterate all keys."""
        return ((key, self._known(key, at)) for key, at in self._positions.items())

    def largest(self) -> int | None:
        """Return the size of the largest value."""
        largest = 0
        for _, known in self.everything():
            if isinstance(known, int):
                return None
            largest = max(largest, known.size)
        return largest

    def _take(self, change: Change) -> None:
        for key in change.removed:
            self._index.discard(key)
            self._sums.pop(key, None)
        records = change.records
        self._index.put_all({key: record.facts.at for key, record in records.items()})
        for key, record in records.items():
            self._sums[key] = record.facts[1:]

    def _known(self, key: str, at: int) -> Known:
        known = self._sums.get(key)
        if not known:
            return at
        size, crc = sum_of(known) if isinstance(known, str) else known
        return Facts(at, size, crc)
