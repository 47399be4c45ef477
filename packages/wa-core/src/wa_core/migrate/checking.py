"""Comparing two stores record by record, without changing either.

First both are summed up: where the sums agree, every record is proven equal and only has to be
named. Only what lies in a bucket that differs is looked up one by one. A damaged record stops a
scan, so then all keys are listed and looked up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from enum import StrEnum

from wa_core.errors import CorruptRecordError
from wa_core.migrate.digest import bucket_of
from wa_core.migrate.layout import Likeness
from wa_core.migrate.progress import Listener
from wa_core.migrate.scope import Scope, is_marker
from wa_core.migrate.side import Side
from wa_core.migrate.stream import Chunk, chunked
from wa_core.migrate.verification import compare
from wa_core.storage import Engine

PAGE = 1000
NAMESPACES = ("session/", "contact/", "lid/", "chat/")


class Mark(StrEnum):
    """What is said of one key, in the signs that rclone made common."""

    EQUAL = "="
    ONLY_TARGET = "-"
    ONLY_SOURCE = "+"
    DIFFERENT = "*"
    """In both, with another value or at another position."""
    DAMAGED = "!"
    """It cannot be read on one of the sides."""


Teller = Callable[[Mark, str], None]


@dataclass(slots=True)
class Findings:
    """How many of each."""

    counts: Counter[Mark] = field(default_factory=Counter)
    positions: bool = False
    """Whether both sides keep positions, so that these were compared too."""

    @property
    def is_equal(self) -> bool:
        """Tell whether nothing but equal records was found."""
        return not any(self.counts[mark] for mark in Mark if mark is not Mark.EQUAL)


class Check:
    """One comparison of two open stores."""

    def __init__(self, source: Engine, target: Engine, scope: Scope, tell: Teller) -> None:
        self._source = source
        self._target = target
        self._scope = scope
        self._tell = tell
        self._likeness = Likeness(source, target)
        self.findings = Findings(positions=self._likeness.positions)

    def _say(self, mark: Mark, key: str) -> None:
        self.findings.counts[mark] += 1
        self._tell(mark, key)

    async def by_buckets(self, differing: frozenset[int]) -> None:
        """Name every key; look up those that lie where the sums differ."""
        async with aclosing(chunked(self._scope.scan(self._source))) as chunks:
            async for chunk in chunks:
                doubtful = [entry for entry in chunk if bucket_of(entry.key) in differing]
                for entry in chunk:
                    if bucket_of(entry.key) not in differing:
                        self._say(Mark.EQUAL, entry.key)
                await self._look_up(doubtful)
        if differing:
            async with aclosing(chunked(self._scope.scan(self._target))) as chunks:
                async for chunk in chunks:
                    keys = [entry.key for entry in chunk if bucket_of(entry.key) in differing]
                    known = await self._source.get_many(keys)
                    for key in keys:
                        if key not in known:
                            self._say(Mark.ONLY_TARGET, key)

    async def _look_up(self, doubtful: Chunk) -> None:
        there = await self._target.get_many(entry.key for entry in doubtful)
        for entry in doubtful:
            if entry.key not in there:
                self._say(Mark.ONLY_SOURCE, entry.key)
            elif self._likeness.differs(entry, there[entry.key]) or (
                self.findings.positions and await _position(self._target, entry.key) != entry.at
            ):
                self._say(Mark.DIFFERENT, entry.key)
            else:
                self._say(Mark.EQUAL, entry.key)

    async def key_by_key(self) -> None:
        """List all keys of both sides and look each up: slow, and damage does not stop it."""
        self.findings.positions = False
        async for keys in _pages(self._source, self._scope):
            mine, its = await _read(self._source, keys), await _read(self._target, keys)
            for key in keys:
                self._say(self._judged(key, mine.get(key), its.get(key)), key)
        async for keys in _pages(self._target, self._scope):
            mine = await _read(self._source, keys)
            for key in keys:
                if key not in mine:
                    self._say(Mark.ONLY_TARGET, key)

    async def by_counts(self) -> None:
        """Compare how many records each part has, and the credentials: a glance, no proof."""
        named = [prefix for prefix in NAMESPACES if self._covers(prefix)]
        for prefix in named:
            mine, its = await self._source.count(prefix), await self._target.count(prefix)
            if mine or its:
                self._say(_by_number(mine, its), f"{prefix} ({mine} and {its} records)")
        whole = [await self._scope.count(engine) for engine in (self._source, self._target)]
        self._say(_by_number(*whole), f"all ({whole[0]} and {whole[1]} records)")
        if self._covers("session/"):
            creds = [await _read(each, ["session/creds"]) for each in (self._source, self._target)]
            values = [found.get("session/creds") for found in creds]
            if values != [None, None]:
                self._say(self._judged("session/creds", *values), "session/creds")

    def _judged(self, key: str, mine: _Read | None, its: _Read | None) -> Mark:
        if isinstance(mine, _Damaged) or isinstance(its, _Damaged):
            return Mark.DAMAGED
        if its is None or mine is None:
            return Mark.ONLY_SOURCE if its is None else Mark.ONLY_TARGET
        same = self._likeness.value(key, mine) == self._likeness.value(key, its)
        return Mark.EQUAL if same else Mark.DIFFERENT

    def _covers(self, prefix: str) -> bool:
        return "" in self._scope.prefixes or prefix in self._scope.prefixes


class _Damaged:
    """Stands for a value that cannot be read."""


_DAMAGED = _Damaged()
_Read = bytes | _Damaged


async def compare_records(
    source: Side, target: Side, scope: Scope, *, quick: bool, tell: Teller, listener: Listener
) -> Findings:
    """Compare two stores; with `quick`, only numbers of records and the credentials."""
    async with AsyncExitStack() as ends:
        mine = await ends.enter_async_context(await source.open(read_only=True))
        its = await ends.enter_async_context(await target.open(read_only=True))
        work = Check(mine, its, scope, tell)
        if quick:
            await work.by_counts()
            return work.findings
        try:
            found = await compare(source, target, scope, listener)
        except CorruptRecordError:
            await work.key_by_key()
        else:
            await work.by_buckets(found.differing)
        return work.findings


def _by_number(mine: int, its: int) -> Mark:
    return Mark.EQUAL if mine == its else Mark.DIFFERENT


async def _position(engine: Engine, key: str) -> int | None:
    async with aclosing(engine.scan(key)) as entries:
        async for entry in entries:
            if entry.key == key:
                return entry.at
    return None


async def _pages(engine: Engine, scope: Scope) -> AsyncIterator[list[str]]:
    for prefix in scope.prefixes:
        offset = 0
        while page := await engine.list(prefix, offset, PAGE):
            offset += len(page)
            yield [key for key in page if not is_marker(key)]


async def _read(engine: Engine, keys: list[str]) -> dict[str, _Read]:
    try:
        return dict(await engine.get_many(keys))
    except CorruptRecordError:
        found: dict[str, _Read] = {}
        for key in keys:
            try:
                value = await engine.get(key)
            except CorruptRecordError:
                found[key] = _DAMAGED
            else:
                if value is not None:
                    found[key] = value
        return found
