"""Proving a copy from fresh connections: what the two stores say now, not what was sent.

Both sides are scanned at the same time, and compared as digests: every key, value and (where both
keep them) position, in both directions, in constant memory. The scan of the source is also the
proof that nobody wrote while it was copied.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

from wa_core.errors import MoveMismatchError
from wa_core.migrate.digest import Digest
from wa_core.migrate.group import together
from wa_core.migrate.layout import Likeness, is_still, keeps_positions
from wa_core.migrate.progress import Listener, Phase, Progress
from wa_core.migrate.scope import Scope, is_marker
from wa_core.migrate.side import Side
from wa_core.migrate.stream import chunked
from wa_core.storage import Engine


@dataclass(frozen=True, slots=True)
class Comparison:
    """What both sides hold, as sums."""

    source: Digest
    target: Digest

    @property
    def is_equal(self) -> bool:
        """Tell whether they are the same set of records."""
        return self.source == self.target

    @property
    def differing(self) -> frozenset[int]:
        """The buckets in which they are not."""
        return self.source.differing(self.target)


async def compare(source: Side, target: Side, scope: Scope, listener: Listener) -> Comparison:
    """Sum up both sides over connections of their own."""
    async with AsyncExitStack() as ends:
        mine = await ends.enter_async_context(await source.open(read_only=True))
        its = await ends.enter_async_context(await target.open(read_only=True))
        likeness = Likeness(mine, its)
        found = Comparison(Digest(likeness), Digest(likeness))
        total = await scope.count(mine) + await scope.count(its)

        def tell() -> None:
            both = (found.source, found.target)
            done, size = sum(d.records for d in both), sum(d.size for d in both)
            listener(Progress(Phase.VERIFYING, done, total, size))

        async with together() as group:
            for engine, digest in ((mine, found.source), (its, found.target)):
                group.create_task(_sum_up(engine, scope, digest, tell))
        return found


async def _sum_up(engine: Engine, scope: Scope, digest: Digest, tell: Callable[[], None]) -> None:
    async with aclosing(chunked(scope.scan(engine))) as chunks:
        async for chunk in chunks:
            digest.add_all(chunk)
            tell()


async def check_contained(source: Side, target: Side, scope: Scope, skipped: int) -> Digest:
    """Prove that all of the source is in the target, but for those values that were left there."""
    different = 0
    async with AsyncExitStack() as ends:
        mine = await ends.enter_async_context(await source.open(read_only=True))
        its = await ends.enter_async_context(await target.open(read_only=True))
        likeness = Likeness(mine, its)
        digest = Digest(likeness)
        chunks = await ends.enter_async_context(aclosing(chunked(scope.scan(mine))))
        async for chunk in chunks:
            digest.add_all(chunk)
            there = await its.get_many(entry.key for entry in chunk)
            missing = sum(entry.key not in there for entry in chunk)
            if missing:
                raise MoveMismatchError(f"{missing} records are missing")
            different += sum(likeness.differs(entry, there[entry.key]) for entry in chunk)
    if different != skipped:
        raise MoveMismatchError(f"{different} values differ, {skipped} were left on purpose")
    return digest


async def pulse(engine: Engine) -> tuple[int, str, int]:
    """Take the least that every write would change: how many records, and which is the newest."""
    if is_still(engine):
        return 0, "", 0
    number = await engine.count()
    if not keeps_positions(engine):
        return number, "", 0
    for key in await engine.list(limit=2):
        if not is_marker(key):
            async with aclosing(engine.scan(key)) as entries:
                async for entry in entries:
                    if entry.key == key:
                        return number, key, entry.at
    return number, "", 0
