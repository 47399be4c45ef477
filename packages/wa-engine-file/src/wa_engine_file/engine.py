"""The file engine: one session in one folder, in the layout that Node users know [Y1].

The idea: the index lives in memory and answers lists, counts and absence at once; values are
files. Every call is a plain function on the worker thread, or none at all; see `store` for how a
write becomes true and `commits` for their order.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Sequence
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

from wa_engine_file.commits import Commits
from wa_engine_file.lock import WriterLock
from wa_engine_file.store import Store
from wa_engine_file.survey import Contents
from wa_engine_file.worker import Worker

MAX_VALUE = 64 * 1024 * 1024
SCAN_CHUNK = 64
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
        contents = self._store.contents
        wanted = keys if self._commits.busy else [key for key in keys if key in contents.index]
        if not wanted:
            return {}
        read = self._store.read
        values = await self._worker.submit(lambda: [read(key) for key in wanted])
        # The answer is as old as the index is now: both are behind the same last commit.
        pairs = zip(wanted, values, strict=True)
        return {key: proven(contents, key, value) for key, value in pairs if key in contents.index}

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await self._commits.submit(operations, fence)

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        return self._store.contents.index.page(prefix, offset, limit)

    async def _count(self, prefix: str) -> int:
        return self._store.contents.index.count(prefix)

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        index, after = self._store.contents.index, None
        while chunk := list(islice(index.keys(prefix, after=after), SCAN_CHUNK)):
            for key, value in (await self._get_many(chunk)).items():
                position = index.position(key)
                if position is not None:
                    yield Entry(key, value, position)
            after = chunk[-1]

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


def proven(contents: Contents, key: str, value: bytes | None) -> bytes:
    """Return a value that is what was written, or raise [G2]."""
    if value is None:
        raise CorruptRecordError(key, "its file is gone")
    facts = contents.facts(key)
    if facts is not None and not facts.match(value):
        raise CorruptRecordError(
            key, "its file is not what was written (if another program did it, see ?adopt=1)"
        )
    return value
