"""The engine over a folder of another library: every call is one job of one thread.

It claims what such a folder keeps. A batch is not seen as one by whoever reads beside it, and there
is no lease: the library in Node takes none.
"""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from typing import Self, TypeVar

from wa_core.errors import EngineBusyError, UnsupportedError
from wa_core.storage import (
    DEFAULT_TIMEOUT_S,
    FULL,
    Capabilities,
    Durability,
    Engine,
    Entry,
    Lease,
    Operation,
)

from wa_engine_file.faults import file_errors
from wa_engine_file.layouts.folder import Folder
from wa_engine_file.lock import WriterLock
from wa_engine_file.worker import Worker

MAX_VALUE = 64 * 1024 * 1024
SCAN_CHUNK = 64
CLAIMS = FULL - {"K1", "K2", "K3", "V1", "G2", "W1", "C4", "O6", "L1", "L2", "L3", "N3"}
"""Not any key nor any value, not without a checksum, not atomic, no lease, no index, no version."""

_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)

T = TypeVar("T")


class FolderEngine(Engine):
    """One session in a folder that another library reads, too."""

    orders_applies = True

    def __init__(
        self,
        folder: Folder,
        lock: Callable[[], WriterLock],
        *,
        read_only: bool = False,
        durability: Durability,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        promised = Capabilities(
            durability=durability,
            shared=False,
            max_value=MAX_VALUE,
            read_only=read_only,
            claims=CLAIMS,
        )
        super().__init__(promised, timeout=timeout)
        self.folder = folder
        self._take_lock = lock
        self._lock: WriterLock | None = None
        self._worker = Worker("wa-layout")

    def holds(self, key: str) -> bool:
        """Tell whether this layout has a place for a key."""
        return self.folder.layout.path(key) is not None

    def check_value(self, key: str, value: bytes) -> None:
        """Raise `UnsupportedError` for a record that could not be read back."""
        self.folder.check_value(key, value)

    async def open(self) -> Self:
        """Become the one writer of ours, if the folder is there; else the first write does [X2]."""
        if os.path.isdir(self.folder.base):
            work = self._finish if self.capabilities.read_only else self._prepare
            await self._in_time(self._run(work))
        return self

    def _finish(self) -> None:
        """Finish a batch that a killed writer had decided, or readers would not know of it yet.

        A live writer does so itself, and who may not write sees the files as they are.
        """
        if not self.folder.is_unfinished:
            return
        try:
            lock = self._take_lock()
        except EngineBusyError:
            return
        except OSError as exc:
            if exc.errno in _NOT_ALLOWED:
                return
            raise
        try:
            self.folder.recover()
        finally:
            lock.release()

    def _prepare(self) -> None:
        if self._lock is None:
            lock = self._take_lock()
            try:
                self.folder.recover()
            except BaseException:
                lock.release()
                raise
            self._lock = lock

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        def work() -> dict[str, bytes]:
            values = ((key, self.folder.read(key)) for key in keys)
            return {key: value for key, value in values if value is not None}

        return await self._run(work)

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        if fence is not None:
            raise UnsupportedError("fenced writes")
        await self._run(lambda: self._write(operations))

    async def _clear(self) -> None:
        await self._run(lambda: self._write(None))

    def _write(self, operations: Sequence[Operation] | None) -> None:
        self._prepare()
        self.folder.apply(operations)

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        keys = await self._run(lambda: self.folder.page(prefix))
        return keys[offset:] if limit is None else keys[offset:][:limit]

    async def _count(self, prefix: str) -> int:
        return await self._run(lambda: sum(1 for _ in self.folder.walk(prefix)))

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        keys = await self._run(lambda: [key for key, _, _ in self.folder.walk(prefix)])
        for first in range(0, len(keys), SCAN_CHUNK):
            some = keys[first : first + SCAN_CHUNK]
            for entry in await self._run(partial(self._entries, some)):
                yield entry

    def _entries(self, keys: Sequence[str]) -> list[Entry]:
        found = []
        for key in keys:
            at, value = self.folder.position(key), self.folder.read(key)
            if at is not None and value is not None:
                found.append(Entry(key, value, at))
        return found

    async def _close(self) -> None:
        gone = self._worker.submit(self.let_go)
        self._worker.stop()
        await gone

    def let_go(self) -> None:
        """Release the lock: on the worker's thread, so behind the last write."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    async def _run(self, work: Callable[[], T]) -> T:
        def job() -> T:
            with file_errors():
                return work()

        return await self._worker.submit(job)
