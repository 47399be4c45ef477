"""The file engine: one session in one folder, in the layout that Node users know [Y1].

The idea: the index answers lists, counts and absence at once, on the event loop; values are
files. Every call is a plain function on the worker thread, or none at all; see `store` for how a
write becomes true and `commits` for their order.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from itertools import islice
from typing import TypeVar

from wa_core.errors import CorruptRecordError
from wa_core.storage import (
    DEFAULT_TIMEOUT_S,
    FULL,
    Capabilities,
    Durability,
    Engine,
    Entry,
    Holder,
    Lease,
    Operation,
)

from wa_engine_file.change import Known
from wa_engine_file.commits import Commits
from wa_engine_file.contents import Contents
from wa_engine_file.lock import WriterLock
from wa_engine_file.store import Store
from wa_engine_file.worker import Worker

MAX_VALUE = 64 * 1024 * 1024
SCAN_KEYS = 512
SCAN_BYTES = 1024 * 1024
"""What a scan reads at once, the last value left aside; one of unknown size counts as a part."""
CLAIMS = FULL | {"Y1"}

T = TypeVar("T")


class FileEngine(Engine):
    """The one writer of a session's folder."""

    orders_applies = True

    def __init__(
        self,
        store: Store,
        lock: WriterLock,
        *,
        durability: Durability,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        promised = Capabilities(
            durability=durability, shared=False, max_value=MAX_VALUE, claims=CLAIMS
        )
        super().__init__(promised, timeout=timeout)
        self._store = store
        self._lock = lock
        self._worker = Worker("wa-file")
        self._commits = Commits(store, self._worker, inline=durability is Durability.PROCESS)

    @property
    def folder(self) -> str:
        """The folder of the session."""
        return self._store.tree.base

    def path(self, key: str) -> str:
        """Return where the value of `key` lies now, if it is there."""
        below = self._store.contents.index.has_below(key)
        spelling = self._store.spelling
        return f"{self.folder}/{spelling.own(key) if below else spelling.path(key)}"

    def occupy(self, until: threading.Event) -> None:
        """Do nothing else until the event: how tests see a disk that hangs."""
        self._worker.submit(until.wait)

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        known = self._store.contents.known(keys)
        found = await self._read(keys if self._commits.busy else list(known), known)
        return {entry.key: entry.value for entry in found}

    async def _read(self, keys: Sequence[str], known: Mapping[str, Known]) -> list[Entry]:
        """Read the values of those keys that are present; `known` is what contents say now."""
        if not keys:
            return []
        contents, turn = self._store.contents, self._store.contents.turn
        values = await self._worker.submit(lambda: self._store.read_all(keys))
        # The answer is as old as the contents are now: both are behind the same last commit.
        if contents.turn != turn:
            known = contents.known(keys)
        pairs = zip(keys, values, strict=True)
        return [proven(key, value, known[key]) for key, value in pairs if key in known]

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await self._commits.submit(operations, fence)

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        return self._store.contents.index.page(prefix, offset, limit)

    async def _count(self, prefix: str) -> int:
        return self._store.contents.index.count(prefix)

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        async with aclosing(self._scan_many(prefix)) as portions:
            async for entries in portions:
                for entry in entries:
                    yield entry

    async def _scan_many(self, prefix: str) -> AsyncGenerator[Sequence[Entry], None]:
        contents, after = self._store.contents, None
        while known := portion(contents, prefix, after):
            keys = list(known)
            yield await self._read(keys, known)
            after = keys[-1]

    async def largest_value(self) -> int | None:
        """Return the size of the largest value without reading any; None where that is unknown."""
        return await self._in_time(self._largest_value())

    async def _largest_value(self) -> int | None:
        return self._store.contents.largest()

    async def _acquire(self, holder: str, ttl: float) -> int:
        epoch = self._store.leases.grant(holder, ttl)
        try:
            await self._commits.submit(())
        except BaseException:
            self._store.leases.release(epoch)
            raise
        return epoch

    async def _holder(self) -> Holder | None:
        return self._store.leases.holder

    async def _renew(self, lease: Lease, ttl: float) -> None:
        self._store.leases.renew(lease.epoch, ttl)

    async def _release(self, lease: Lease) -> None:
        self._store.leases.release(lease.epoch)

    async def _clear(self) -> None:
        await self._commits.submit(None)

    async def _close(self) -> None:
        try:
            await self._commits.drained()
        finally:
            # Also when this is cancelled or takes too long: whoever opens next needs the lock.
            self._commits.refuse()
            gone = self._worker.submit(self.let_go)
            self._worker.stop()
        await gone

    def let_go(self) -> None:
        """Close the store, then the lock: on the worker's thread, for while that is stuck nobody
        else may write."""
        try:
            self._store.close()
        finally:
            self._lock.release()


def portion(contents: Contents, prefix: str, after: str | None) -> dict[str, Known]:
    """Choose what a scan reads next: many small values, or few large ones [S1]."""
    found = contents.span(prefix, after=after, limit=SCAN_KEYS)
    size = 0
    for number, known in enumerate(found.values(), start=1):
        size += SCAN_BYTES // 16 if isinstance(known, int) else known.size
        if size >= SCAN_BYTES:
            return dict(islice(found.items(), number))
    return found


def proven(key: str, value: bytes | None, known: Known) -> Entry:
    """Return a record whose value is what was written, or raise [G2]."""
    if value is None:
        raise CorruptRecordError(key, "its file is gone")
    if isinstance(known, int):
        return Entry(key, value, known)
    if not known.match(value):
        raise CorruptRecordError(
            key, "its file is not what was written (if another program did it, see ?adopt=1)"
        )
    return Entry(key, value, known.at)
