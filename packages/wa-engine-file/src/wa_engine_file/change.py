"""What a group of batches comes to: records written, keys removed, and the steps on the disk.

The idea: a change is a net effect, not a list of orders. Making it true twice is making it true
once, so the same value serves the journal, the folder, recovery and every reader that follows.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import NamedTuple


class Facts(NamedTuple):
    """What a record must look like when it is read back [G2]."""

    at: int
    size: int
    crc: int

    def match(self, value: bytes) -> bool:
        """Tell whether `value` is what was written."""
        return len(value) == self.size and zlib.crc32(value) == self.crc


Known = Facts | int
"""What is recorded of a value; of one that somebody else wrote, its position alone."""


def position_of(known: Known) -> int:
    """Return where a key stands."""
    return known if isinstance(known, int) else known.at


def facts_of(value: bytes, at: int) -> Facts:
    """Take the facts of a value."""
    return Facts(at, len(value), zlib.crc32(value))


class Record(NamedTuple):
    """A value as it goes to the journal and into its file."""

    value: bytes
    facts: Facts

    def __repr__(self) -> str:
        return f"<Record of {self.facts.size} bytes>"


@dataclass(slots=True)
class Steps:
    """What to do in the folder, as paths relative to it, in the order of the fields."""

    unlink: list[str] = field(default_factory=list)
    drop: list[str] = field(default_factory=list)
    """Folders that must go if they are empty, the deepest first."""
    make: list[str] = field(default_factory=list)
    """Folders that must be there, the outermost first."""
    create: list[tuple[str, str]] = field(default_factory=list)
    """Paths of files that are not there yet, each with its key."""
    replace: list[tuple[str, str]] = field(default_factory=list)
    """Paths of files that are there, each with its key."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A value that stays as it is but changes its place [K3]."""

    key: str
    source: str
    """The path it has now."""
    known: Known


@dataclass(slots=True)
class Change:
    """The net effect of one commit."""

    records: dict[str, Record] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    last: int = 0
    """The last position that was given without `at` [O1]."""
    epoch: int = 0
    """The last lease epoch that was given [L1]."""
    steps: Steps = field(default_factory=Steps)
    moved: list[Moved] = field(default_factory=list)
    _gone: frozenset[str] | None = None

    def removes(self, key: str) -> bool:
        """Tell whether `key` is gone behind the change."""
        if self._gone is None:
            self._gone = frozenset(self.removed)
        return key in self._gone

    def touched(self) -> list[str]:
        """List the keys that the change says anything about."""
        return [*self.removed, *self.records]

    def follow(self, later: Change) -> None:
        """Add what a later change says, so that only the last word on each key is left."""
        gone = dict.fromkeys(self.removed)
        for key in later.removed:
            self.records.pop(key, None)
            gone[key] = None
        for key, record in later.records.items():
            gone.pop(key, None)
            self.records[key] = record
        self.removed, self._gone = list(gone), None
