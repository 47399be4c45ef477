"""Healthy engines over a log on disk: shared between processes, or with one writer."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import ClassVar

from wa_core.errors import EngineBusyError
from wa_core.storage import (
    CONTRACT_VERSION,
    FULL,
    Capabilities,
    Durability,
    Entry,
    Lease,
    Operation,
)
from wa_core.storage.leasebook import suspend_clock

from wa_conformance.zoo.base import TIMEOUT_S, Breakable
from wa_conformance.zoo.log import Log, folder_of, record

SHARED = Capabilities(durability=Durability.PROCESS, shared=True, claims=FULL - {"D2"})
POLL_S = 0.001
"""How often a writer asks for the file lock: the system wakes nobody up for `flock`."""


class LogSpecimen(Breakable):
    """The healthy engine on disk: every specimen that outlives its process begins here."""

    promises: ClassVar[Capabilities] = SHARED
    log_type: ClassVar[type[Log]] = Log
    _silent: ClassVar[dict[str, asyncio.Event]] = {}

    def __init__(
        self,
        session: str,
        *,
        read_only: bool = False,
        timeout: float | str = TIMEOUT_S,
    ) -> None:
        promises = replace(self.promises, read_only=read_only)
        super().__init__(promises, timeout=float(timeout))
        self.log = self.log_type(self.folder(session))
        self._begin()

    @classmethod
    def folder(cls, session: str) -> Path:
        """Return the folder of a session."""
        return folder_of(cls.__name__, session)

    def _begin(self) -> None:
        """Prepare what one object keeps to itself."""

    def damage(self, key: str) -> None:
        """Turn the bits of the last byte that is kept."""
        self.log.catch_up()
        place = self.log.places[key]
        last = place.offset + place.size - 1
        byte = os.pread(self.log.file, 1, last)[0]
        os.pwrite(self.log.file, bytes([byte ^ 0xFF]), last)

    def stall(self) -> None:
        """Answer no call until `resume`."""
        self._silent.setdefault(str(self.log.folder), asyncio.Event())

    def resume(self) -> None:
        """Answer again."""
        event = self._silent.pop(str(self.log.folder), None)
        if event is not None:
            event.set()

    def residue(self) -> list[str]:
        """Read the file anew, and name what is alive in it and what stands beside it."""
        log = Log(self.log.folder)
        try:
            return [*log.places, *log.index.keys(), *self._strangers()]
        finally:
            log.close()

    def pretend_newer(self) -> None:
        """Write a row that only a newer contract would."""
        newer = record([("version", CONTRACT_VERSION + 1)], b"")
        os.pwrite(self.log.file, newer, self.log.end)

    def _strangers(self) -> list[str]:
        known = {"log", "lock", "writer"}
        return [path.name for path in self.log.folder.iterdir() if path.name not in known]

    async def _answering(self) -> None:
        while (event := self._silent.get(str(self.log.folder))) is not None:
            await event.wait()

    async def _read_on(self) -> None:
        await self._answering()
        self.log.catch_up()

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[None]:
        await self._answering()
        while not self.log.lock_taken():
            await asyncio.sleep(POLL_S)
        try:
            self.log.catch_up()
            yield
        finally:
            self.log.unlock()

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        await self._read_on()
        return {key: self.log.read(key) for key in keys if key in self.log.places}

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        async with self._writing():
            if fence is not None:
                self.log.lease.check_current(fence.epoch)
            self._write(operations)

    def _write(self, operations: Sequence[Operation]) -> None:
        self.log.append(*self.log.rows_of(operations))

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        await self._read_on()
        return self.log.index.page(prefix, offset, limit)

    async def _count(self, prefix: str) -> int:
        await self._read_on()
        return self.log.index.count(prefix)

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        after = None
        while True:
            await self._read_on()
            chunk = list(islice(self.log.index.keys(prefix, after=after), 100))
            for key in chunk:
                at = self.log.index.position(key)
                if at is not None:
                    yield Entry(key, self.log.read(key), at)
            if len(chunk) < 100:
                return
            after = chunk[-1]

    async def _acquire(self, holder: str, ttl: float) -> int:
        async with self._writing():
            self.log.lease.check_free()
            self._lease(self.log.lease.epoch + 1, holder, ttl)
        return self.log.lease.epoch

    async def _renew(self, lease: Lease, ttl: float) -> None:
        async with self._writing():
            self.log.lease.check_current(lease.epoch)
            self._lease(lease.epoch, lease.holder, ttl)

    async def _release(self, lease: Lease) -> None:
        async with self._writing():
            if lease.epoch == self.log.lease.epoch:
                self._lease(lease.epoch, lease.holder, 0.0)

    def _lease(self, epoch: int, holder: str, ttl: float) -> None:
        self.log.append([("lease", epoch, holder, suspend_clock() + ttl)])

    async def _clear(self) -> None:
        async with self._writing():
            self.log.append([("clear",)])

    async def _close(self) -> None:
        self.log.close()


class OneWriter(LogSpecimen):
    """The healthy engine on disk with one writer: a second one is told who has the session."""

    promises = replace(SHARED, shared=False)

    def _begin(self) -> None:
        self._place = os.open(self.log.folder / "writer", os.O_RDWR | os.O_CREAT, 0o600)
        if not self.capabilities.read_only:
            self._take_place()

    def _take_place(self) -> None:
        try:
            fcntl.flock(self._place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            holder = os.pread(self._place, 64, 0).decode()
            self._leave()
            raise EngineBusyError(holder) from exc
        os.ftruncate(self._place, 0)
        os.pwrite(self._place, f"process {os.getpid()}".encode(), 0)

    def _leave(self) -> None:
        os.close(self._place)
        self.log.close()

    async def _close(self) -> None:
        self._leave()
