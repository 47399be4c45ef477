"""Specimens that lose something when their process ends, by a kill or in peace.

Where luck would decide whether a kill hits, the specimen is slow in the right place, as a disk is.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from wa_core.storage import Operation

from wa_conformance.zoo.log import Log, Row, record, records
from wa_conformance.zoo.persistent import LogSpecimen

DISK_S = 0.0005
"""How long the disk of a slow specimen takes for one write, up to `BUSY` writes a batch."""
BUSY = 40
CROWD = 12
"""A batch of more operations than this is one that a kill is waiting for."""


class TornBatchOnKill(LogSpecimen):
    """Writes each operation for itself: 96 of 100 kills left SQLite in autocommit mixed."""

    breaks = "W1"

    def _write(self, operations: Sequence[Operation]) -> None:
        for number, operation in enumerate(operations):
            super()._write((operation,))
            if number < BUSY:
                time.sleep(DISK_S)


class TornDeletesOnKill(LogSpecimen):
    """Writes the puts of a batch in one step and its deletes in the next."""

    breaks = "W1"

    def _write(self, operations: Sequence[Operation]) -> None:
        rows, values = self.log.rows_of(operations)
        self.log.append([row for row in rows if row[0] == "put"], values)
        deletes = [row for row in rows if row[0] == "delete"]
        if deletes:
            time.sleep(DISK_S * BUSY)
            self.log.append(deletes)


class InPlaceLog(Log):
    """Rewrites the whole file where it is."""

    def append(self, rows: Sequence[Row], values: bytes = b"") -> None:
        """Empty the file, then write it."""
        kept = os.pread(self.file, self.end, 0)
        os.ftruncate(self.file, 0)
        time.sleep(DISK_S * (BUSY if len(rows) > CROWD else 1))
        os.pwrite(self.file, kept + record(rows, values), 0)
        self.catch_up()


class InPlaceRewrite(LogSpecimen):
    """Empties the file before it writes it anew: 39 of 60 kills emptied FileEngine (v2.2)."""

    breaks = "W1"
    log_type = InPlaceLog


class LateLog(Log):
    """Keeps the last records in memory, where every opener of this process finds them."""

    late: ClassVar[dict[Path, list[Log]]] = {}

    def append(self, rows: Sequence[Row], values: bytes = b"") -> None:
        """Put off the write until somebody looks."""
        self._waiting += record(rows, values)
        self.late.setdefault(self.folder, []).append(self)
        self.replay(rows, 0)

    def catch_up(self) -> None:
        """Make all openers write, then read."""
        for log in self.late.pop(self.folder, []):
            if isinstance(log, LateLog):
                log.flush()
        super().catch_up()

    def close(self) -> None:
        """Write what waits."""
        self.flush()
        super().close()

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            os.pwrite(self.file, self._waiting, self.end)
            self._waiting = b""
            super().catch_up()

    _waiting = b""


class LosesAckedOnKill(LogSpecimen):
    """Acknowledges a batch that is still in its own memory: `.order` flushed one second later."""

    breaks = "W2"
    log_type = LateLog


class BackupLog(Log):
    """Drops the last record when the file was not closed in peace."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._mark = os.open(folder / "open", os.O_RDWR | os.O_CREAT, 0o600)
        alone = self._lock_mark(fcntl.LOCK_EX)
        if alone and os.fstat(self._mark).st_size:
            self._go_back(folder / "log")
        os.pwrite(self._mark, b"open", 0)
        self._lock_mark(fcntl.LOCK_SH)
        super().__init__(folder)

    def close(self) -> None:
        """Note that the end was peaceful."""
        super().close()
        if self._lock_mark(fcntl.LOCK_EX):
            os.ftruncate(self._mark, 0)
        os.close(self._mark)

    def _lock_mark(self, kind: int) -> bool:
        try:
            fcntl.flock(self._mark, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _go_back(self, file: Path) -> None:
        ends = [0]
        for _, _, size in records(file.read_bytes()):
            ends.append(ends[-1] + size)
        os.truncate(file, ends[-2] if len(ends) > 1 else 0)


class ServesOldValueAfterCrash(LogSpecimen):
    """Goes back to the copy before the last write when it was not closed: `.bak` after a crash."""

    breaks = "W2"
    log_type = BackupLog


SPECIMENS = (
    TornBatchOnKill,
    TornDeletesOnKill,
    InPlaceRewrite,
    LosesAckedOnKill,
    ServesOldValueAfterCrash,
)
