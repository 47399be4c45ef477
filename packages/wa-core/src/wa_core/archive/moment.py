"""A live session at one moment, though nothing but `get_many` reads more than one record at once.

    1  scan                  what every record was at some time
    2  what changed since    listed newest first, down to where the scan began: the hot records
    3  get_many(hot)         THE MOMENT: all of them together, as they are now
    4  what changed since    again; a name that is not hot: step 2 again, with it
    5  scan again            every record that is not hot must be what it was, or be newer than
                             the moment; one that is neither is hot from now on: step 2 again

What is not hot was the same before and after the moment, so it was the same at it; what is hot was
read at it. Where an engine keeps no positions only step 5 finds what changes, one scan later. The
program that writes the session can hold its writes back for the moment, and tell what it wrote
before and after: then nothing is left to doubt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    aclosing,
    nullcontext,
)
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from wa_core.archive.offloop import off_loop
from wa_core.archive.staging import RUN_BYTES, Staging
from wa_core.errors import UnsettledBackupError
from wa_core.storage import Delete, Engine, Entry, Operation

ROUNDS = 5
"""Scans after the first one."""
TRIES = 100
"""Moments tried between two scans: each takes a few round trips."""
MAX_HOT = 20_000
MAX_HOT_BYTES = 64 * 1024 * 1024
_FIRST_PAGE = 64

Note = Callable[[Sequence[Operation]], None]


class Writer(Protocol):
    """The program that writes the session: an `AuthState`."""

    def hold(self) -> AbstractAsyncContextManager[None]:
        """Keep writes waiting while this is entered."""

    def watched(self, note: Note) -> AbstractContextManager[None]:
        """Tell of every batch that is written while this is entered, before it is."""


class Stranger:
    """Somebody else writes the session: nothing is held back, and nothing is told."""

    def hold(self) -> AbstractAsyncContextManager[None]:
        """Hold nothing back."""
        return nullcontext()

    def watched(self, note: Note) -> AbstractContextManager[None]:
        """Tell nothing."""
        return nullcontext()


class Watch:
    """What the writer has told since the last `take`."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._removed: set[str] = set()

    def note(self, operations: Sequence[Operation]) -> None:
        """Take note of a batch."""
        for operation in operations:
            self._names.add(operation.key)
            if isinstance(operation, Delete):
                self._removed.add(operation.key)

    def take(self) -> set[str]:
        """Return the keys that were written or removed, and begin anew."""
        found, self._names, self._removed = self._names, set(), set()
        return found

    def touches(self, key: str) -> bool:
        """Tell whether a record was written, or removed with one above it."""
        return key in self._names or any(key.startswith(above + "/") for above in self._removed)


@dataclass(slots=True)
class Moment:
    """What the hot records were at the moment."""

    values: dict[str, bytes] = field(default_factory=dict)
    newest: int | None = None
    """The newest position right after it; None where the engine keeps none."""


class Observation:
    """One session being caught; `entries` may be called once `settle` has said yes."""

    def __init__(
        self,
        engine: Engine,
        first: Staging,
        *,
        writer: Writer,
        watch: Watch,
        leaves_out: Callable[[str], bool],
        heard: Callable[[int], None],
    ) -> None:
        self._engine = engine
        self._first = first
        self._writer = writer
        self._watch = watch
        self._leaves_out = leaves_out
        self._heard = heard
        claims = engine.capabilities.claims
        self._reads_at_once = "W1" in claims
        self._has_positions = "O1" in claims and self._reads_at_once
        self._began: int | None = None
        self._hot: set[str] = set()
        self._moment = Moment()
        self._later: dict[str, int] = {}
        """Positions of hot records as the last scan found them."""

    async def begin(self) -> None:
        """Scan the session for the first time."""
        self._began = await self._newest()
        await self._scan(self._first.add_all)

    async def choose(self) -> None:
        """Read all that is hot at one moment, after which nothing else had changed."""
        async with self._writer.hold():
            self._hot |= {key for key in self._watch.take() if not self._leaves_out(key)}
            for _ in range(TRIES):
                self._hot |= await self._changed()
                values = await self._engine.get_many(self._hot)
                newest = await self._newest()
                changed = await self._changed()
                if self._hot and not self._reads_at_once:
                    raise UnsettledBackupError("its layout cannot be read at one moment")
                if changed <= self._hot:
                    self._check_size(values)
                    self._moment = Moment(values, newest)
                    return
                self._hot |= changed
        raise UnsettledBackupError(f"new records came at each of {TRIES} looks")

    async def look_again(self, second: Staging) -> None:
        """Scan once more, for `entries` to compare with; digests are enough."""

        def take(entries: list[Entry]) -> None:
            kept: list[Entry] = []
            for entry in entries:
                if entry.key in self._hot:
                    self._later[entry.key] = entry.at
                else:
                    kept.append(Entry(entry.key, _digest(entry.value), entry.at))
            second.add_all(kept)

        self._later = {}
        await self._scan(take)

    def entries(self, second: Staging, doubtful: set[str]) -> Iterator[Entry]:
        """Yield the session as it was at the moment; what cannot be told goes to `doubtful`."""
        hot = iter(sorted(self._moment.values))
        next_hot = next(hot, None)
        for entry in self._cold(second, doubtful):
            while next_hot is not None and next_hot < entry.key:
                yield self._hot_entry(next_hot)
                next_hot = next(hot, None)
            yield entry
        while next_hot is not None:
            yield self._hot_entry(next_hot)
            next_hot = next(hot, None)

    def heat(self, doubtful: set[str]) -> None:
        """Count records as hot that a scan found changed."""
        self._hot |= doubtful

    def _cold(self, second: Staging, doubtful: set[str]) -> Iterator[Entry]:
        """Walk through both scans side by side."""
        seen = second.merged()
        there = next(seen, None)
        last = ""
        for entry in self._first.merged():
            if entry.key == last:
                doubtful.add(entry.key)  # gone and back while it was scanned
                continue
            last = entry.key
            if entry.key in self._hot:
                continue
            while there is not None and there.key < entry.key:
                self._judge(None, there, doubtful)
                there = next(seen, None)
            is_there = there is not None and there.key == entry.key
            self._judge(entry, there if is_there else None, doubtful)
            if is_there:
                there = next(seen, None)
            yield entry
        while there is not None:
            self._judge(None, there, doubtful)
            there = next(seen, None)

    def _judge(self, before: Entry | None, after: Entry | None, doubtful: set[str]) -> None:
        """Decide by both scans whether a record was at the moment what it was before."""
        known = before or after
        if known is None or self._watch.touches(known.key):
            return
        if before is None or after is None:
            same = False
        else:
            same = after.at == before.at and after.value == _digest(before.value)
        if not same and (after is None or not self._is_later(after)):
            doubtful.add(known.key)

    def _is_later(self, found: Entry) -> bool:
        newest = self._moment.newest
        return self._has_positions and found.at > (-1 if newest is None else newest)

    def _hot_entry(self, key: str) -> Entry:
        """Give a hot record the position it had, or the moment's where it has moved on since."""
        newest = self._moment.newest or 0
        at = min(self._later.get(key, newest), newest) if self._has_positions else 0
        return Entry(key, self._moment.values[key], at)

    async def _scan(self, take: Callable[[list[Entry]], None]) -> None:
        chunk: list[Entry] = []
        size = 0
        async with aclosing(self._engine.scan_many()) as portions:
            async for portion in portions:
                found = [entry for entry in portion if not self._leaves_out(entry.key)]
                chunk += found
                size += sum(len(entry.value) for entry in found)
                if len(chunk) >= 1000 or size >= RUN_BYTES:
                    await off_loop(partial(take, chunk))
                    self._heard(len(chunk))
                    chunk, size = [], 0
        await off_loop(partial(take, chunk))
        self._heard(len(chunk))

    async def _changed(self) -> set[str]:
        """Name all that was written since the first scan began, and perhaps some more."""
        if not self._has_positions:
            return set()
        size = _FIRST_PAGE
        while True:
            page = await self._engine.list("", 0, size)
            if len(page) < size or await self._is_old(page[-1]):
                return {key for key in page if not self._leaves_out(key)}
            if size >= MAX_HOT:
                raise UnsettledBackupError(f"more than {MAX_HOT} records changed meanwhile")
            size = min(size * 4, MAX_HOT)

    async def _is_old(self, key: str) -> bool:
        at = await position_of(self._engine, key)
        return at is not None and self._began is not None and at <= self._began

    async def _newest(self) -> int | None:
        while self._has_positions and (page := await self._engine.list("", 0, 1)):
            at = await position_of(self._engine, page[0])
            if at is not None:  # else gone between two calls: what is newest now says as much
                return at
        return None

    def _check_size(self, values: dict[str, bytes]) -> None:
        size = sum(map(len, values.values()))
        if len(self._hot) > MAX_HOT or size > MAX_HOT_BYTES:
            raise UnsettledBackupError(
                f"{len(self._hot)} records of {size} bytes changed meanwhile"
            )


async def position_of(engine: Engine, key: str) -> int | None:
    """Return where a record stands; None where it is gone."""
    async with aclosing(engine.scan(key)) as entries:
        async for entry in entries:
            if entry.key == key:
                return entry.at
    return None


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()
