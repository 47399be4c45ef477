"""Moving records: copying what is missing or different, pruning what is foreign, removing.

Every write carries the lease of the store it goes to, and is a bounded batch; what is there already
is compared by value, never taken on trust.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from wa_core.migrate.digest import Digest, bucket_of
from wa_core.migrate.group import together
from wa_core.migrate.layout import Likeness
from wa_core.migrate.progress import Listener, Phase, Progress
from wa_core.migrate.scope import Scope, is_marker
from wa_core.migrate.stream import Chunk, Feed, ahead, chunked
from wa_core.state.moves import MOVE_KEY
from wa_core.storage import Batch, Engine, Lease

REMOVE_RECORDS = 1000
WRITERS = 2
"""Batches on their way at once: one is made ready while another is written."""


@dataclass(slots=True)
class Tally:
    """What was done, counted in records."""

    copied: int = 0
    present: int = 0
    """There already, and equal."""
    skipped: int = 0
    """There already, different, and left as the policy says."""
    pruned: int = 0
    """Foreign to the source, and removed from the target."""
    removed: int = 0
    """Taken from the source after the decision."""


class Transfer:
    """The way from one open store to another."""

    def __init__(
        self,
        source: Engine,
        target: Engine,
        scope: Scope,
        *,
        fence: Lease | None,
        listener: Listener,
        tally: Tally,
    ) -> None:
        self._source = source
        self._target = target
        self._scope = scope
        self._likeness = Likeness(source, target)
        self._fence = fence
        self._listener = listener
        self.tally = tally

    async def prune(self) -> None:
        """Remove from the target what the source does not have, before anything is copied.

        Before, because a removal cascades, and may take along what is to stay: that is then copied.
        """
        async with aclosing(chunked(self._scope.scan(self._target))) as chunks:
            async for chunk in chunks:
                known = await self._source.get_many(entry.key for entry in chunk)
                foreign = [entry.key for entry in chunk if entry.key not in known]
                await _take_away(self._target, foreign, self._fence)
                self.tally.pruned += len(foreign)

    async def copy(self, *, compare: bool, replace: bool = True) -> Digest:
        """Copy the source, and return the sum of what was read.

        With `compare`, look first at what the target has; without `replace`, leave that.
        """
        digest = Digest(self._likeness)
        total, done, size = await self._scope.count(self._source), 0, 0

        async def send(chunks: Feed) -> None:
            nonlocal done, size
            async for chunk in chunks:
                await self._put(await self._wanted(chunk, replace) if compare else chunk)
                done += len(chunk)
                size += sum(len(entry.value) for entry in chunk)
                self._listener(Progress(Phase.COPYING, done, total, size))

        # What is read ahead is summed up while the target is at work.
        pages = self._scope.scan(self._source)
        async with ahead(pages, digest.add_all) as chunks, together() as group:
            for _ in range(WRITERS):
                group.create_task(send(chunks))
        return digest

    async def repair(self, buckets: frozenset[int]) -> None:
        """Copy again, positions included, all records of those buckets."""
        async with aclosing(chunked(self._scope.scan(self._source))) as chunks:
            async for chunk in chunks:
                await self._put([entry for entry in chunk if bucket_of(entry.key) in buckets])

    async def _wanted(self, chunk: Chunk, replace: bool) -> Chunk:
        there = await self._target.get_many(entry.key for entry in chunk)
        missing = [entry for entry in chunk if entry.key not in there]
        stale = [entry for entry in chunk if entry.key in there and there[entry.key] != entry.value]
        self.tally.present += len(chunk) - len(missing) - len(stale)
        if replace:
            return missing + stale
        self.tally.skipped += len(stale)
        return missing

    async def _put(self, chunk: Chunk) -> None:
        if chunk:
            batch = Batch()
            for entry in chunk:
                batch.put(entry.key, entry.value, at=entry.at)
            await self._target.apply(batch, fence=self._fence)
            self.tally.copied += len(chunk)


async def remove(
    engine: Engine, scope: Scope, *, fence: Lease | None, done: Callable[[int], None]
) -> None:
    """Remove the records of a store that are meant, a page at a time; the marker stays."""
    for prefix in scope.prefixes:
        while True:
            page = await engine.list(prefix, limit=REMOVE_RECORDS)
            keys = [key for key in page if not is_marker(key)]
            if not keys:
                break
            await _take_away(engine, keys, fence)
            done(len(keys))


async def _take_away(engine: Engine, keys: list[str], fence: Lease | None) -> None:
    """Remove some records in one step; where one lies above the marker, that is put back in it."""
    batch = Batch()
    for key in keys:
        batch.delete(key)
    if any(MOVE_KEY.startswith(key + "/") for key in keys):
        marker = await engine.get(MOVE_KEY)
        if marker is not None:
            batch.put(MOVE_KEY, marker)
    await engine.apply(batch, fence=fence)
