"""Specimens that mishandle a second opener: another writer, a reader, another process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from wa_core.errors import EngineBusyError, StorageError
from wa_core.storage.leasebook import suspend_clock

from wa_conformance.zoo.log import LeaseRow, Log, Row, record
from wa_conformance.zoo.persistent import LogSpecimen, OneWriter


class SecondWriterAdmitted(OneWriter):
    """Says that it takes one writer, and lets a second one in."""

    breaks = "X2"

    def _take_place(self) -> None:
        """Take a place that is no place."""


class BusyWithoutHolder(OneWriter):
    """Tells the second writer that somebody is there, but not who."""

    breaks = "X2"

    def _take_place(self) -> None:
        try:
            super()._take_place()
        except EngineBusyError as exc:
            raise EngineBusyError("") from exc


class BusyIsSomeError(OneWriter):
    """Tells the second writer `database is locked`: whatsmeow's issues 298, 505, 699, 838."""

    breaks = "X2"

    def _take_place(self) -> None:
        try:
            super()._take_place()
        except EngineBusyError as exc:
            raise StorageError("database is locked") from exc


class BusyAfterClose(OneWriter):
    """Keeps the writer's place after it was closed, until the process ends."""

    breaks = "X2"
    _kept: ClassVar[list[int]] = []

    async def _close(self) -> None:
        self._kept.append(os.dup(self._place))
        await super()._close()


class BusyForReaders(OneWriter):
    """Turns readers away while a writer is there, although it claims to serve them."""

    breaks = "W5"

    def _begin(self) -> None:
        self._place = os.open(self.log.folder / "writer", os.O_RDWR | os.O_CREAT, 0o600)
        self._take_place()


class BusyAfterKill(OneWriter):
    """Knows the writer by a file: one who was killed is in the place for ever."""

    breaks = "X2"

    def _take_place(self) -> None:
        sign = self.log.folder / "writing"
        try:
            os.close(os.open(sign, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError as exc:
            self._leave()
            raise EngineBusyError(f"the process that made {sign.name}") from exc

    async def _close(self) -> None:
        if not self.capabilities.read_only:
            (self.log.folder / "writing").unlink(missing_ok=True)
        await super()._close()


class ReaderSeesTheOpening(OneWriter):
    """Shows a reader the state of the moment in which it was opened."""

    breaks = "W5"

    async def _read_on(self) -> None:
        await self._answering()
        if not self.capabilities.read_only:
            self.log.catch_up()


class DeafLog(Log):
    """Adds its records where it believes the end to be."""

    loaded = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.loaded = True

    def append(self, rows: Sequence[Row], values: bytes = b"") -> None:
        """Write over what another process may have added."""
        added = record(rows, values)
        os.pwrite(self.file, added, self.end)
        os.ftruncate(self.file, self.end + len(added))
        super().catch_up()

    def catch_up(self) -> None:
        """Read when opened, and never again."""
        if not self.loaded:
            super().catch_up()


class WritersOverwriteEachOther(LogSpecimen):
    """Claims to be shared, and writes over what another process added in the meantime."""

    breaks = "X2"
    log_type = DeafLog


class ProcessLeases(Log):
    """Keeps the lease in memory, for all openers of this process."""

    _leases: ClassVar[dict[Path, LeaseRow]] = {}

    @property
    def lease(self) -> LeaseRow:
        """The lease, as far as this process knows."""
        return self._leases.get(self.folder, LeaseRow())

    @lease.setter
    def lease(self, row: LeaseRow) -> None:
        if row.epoch:
            self._leases[self.folder] = row


class LeaseInProcess(LogSpecimen):
    """Keeps leases in the process: two processes hold one each, zapo's StoreLock."""

    breaks = "L1"
    log_type = ProcessLeases

    def _lease(self, epoch: int, holder: str, ttl: float) -> None:
        self.log.lease = LeaseRow(epoch, holder, suspend_clock() + ttl)


SPECIMENS = (
    SecondWriterAdmitted,
    BusyWithoutHolder,
    BusyIsSomeError,
    BusyAfterClose,
    BusyForReaders,
    BusyAfterKill,
    ReaderSeesTheOpening,
    WritersOverwriteEachOther,
    LeaseInProcess,
)
