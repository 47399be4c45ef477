"""T3: whatever call to the file system fails, the session is as before the batch or behind it [F2].

A disk raises at its Nth call, for every N of a run; then either that was all, or it stays full
until somebody makes room. No step may answer with anything but one of our errors.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import wa_engine_file.manifest
from file_bench.disks import FaultyDisk
from file_bench.driver import abandon, open_store, state_of, strays, take_step
from file_bench.script import Model, Step, write_script
from wa_core.errors import EngineUnavailableError
from wa_core.storage import Put
from wa_engine_file.disk import Disk
from wa_engine_file.faults import file_errors
from wa_engine_file.store import Store

pytestmark = pytest.mark.once

SEGMENT_BYTES = 2000
SCRIPT = write_script(11, 12)
Fault = Callable[[], Exception]


def os_fault(number: int) -> Fault:
    def fault() -> Exception:
        return OSError(number, os.strerror(number))

    fault.__name__ = errno.errorcode[number]
    return fault


FAULTS = [MemoryError, *map(os_fault, (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EACCES))]


@pytest.fixture(autouse=True)
def often_compacted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wa_engine_file.manifest, "COMPACT_FROM", 12)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_one_failing_call_leaves_the_state_before_or_behind(quick_path: Path, fault: Fault) -> None:
    calls = fail_everywhere(quick_path, lambda: FaultyDisk(fault, lasting=False, short=False))

    assert calls > 5 * len(SCRIPT)


def test_a_write_that_ends_half_way_leaves_the_state_before_or_behind(quick_path: Path) -> None:
    fault = os_fault(errno.EIO)

    calls = fail_everywhere(quick_path, lambda: FaultyDisk(fault, lasting=False, short=True))

    assert calls > 5 * len(SCRIPT)


def test_a_full_disk_keeps_the_state_until_there_is_room(quick_path: Path) -> None:
    fault = os_fault(errno.ENOSPC)

    calls = fail_everywhere(quick_path, lambda: FaultyDisk(fault, lasting=True, short=True))

    assert calls > 5 * len(SCRIPT)


def fail_everywhere(folder: Path, make_disk: Callable[[], FaultyDisk]) -> int:
    """Run the script with a fault at call 1, 2, 3, ... until no call is left."""
    handles = set(os.listdir("/proc/self/fd"))
    call = 0
    disk = make_disk()
    while call == 0 or disk.raised:
        call += 1
        disk = make_disk()
        with tempfile.TemporaryDirectory(dir=folder) as base:
            leave_unfinished(base)
            disk.break_at(call)
            Run(disk, base).to_the_end()
        assert set(os.listdir("/proc/self/fd")) == handles, f"{disk.raised} at {call}"
    return call


def leave_unfinished(base: str) -> None:
    """Make a store whose journal has something to say, as after a crash."""
    store = open_store(Disk(), base, synced=False, segment_bytes=SEGMENT_BYTES)
    for step in write_script(12, 4):
        take_step(store, step)
    abandon(store)


class Run:
    """One run over a failing disk."""

    def __init__(self, disk: FaultyDisk, base: str) -> None:
        self._disk = disk
        self._base = base
        self._model = Model()
        for step in write_script(12, 4):
            self._model.take(step)

    def to_the_end(self) -> None:
        """Run the script, and at its end see that all is well."""
        store = self._open()
        self._model.epoch = store.leases.epoch
        for step in SCRIPT:
            store = self._take(store, step)
        self._disk.mend()
        store.close()
        with closing(open_store(Disk(), self._base, synced=False)) as found:
            assert state_of(found) == self._model.state
            assert strays(self._base, self._model.state) == []

    def _open(self) -> Store:
        try:
            with file_errors():
                store = open_store(self._disk, self._base, segment_bytes=SEGMENT_BYTES)
        except EngineUnavailableError:
            self._disk.mend()
            store = open_store(self._disk, self._base, segment_bytes=SEGMENT_BYTES)
        self._model.last = store.clock.last
        return store

    def _take(self, store: Store, step: Step) -> Store:
        before = self._model.state
        store.clock.last = self._model.last
        self._model.take(step)
        behind = self._model.state
        try:
            take_step(store, step)
        except EngineUnavailableError as exc:
            assert state_of(store) == before
            if "sync" in self._disk.raised or "sync" in str(exc):
                store = self._open_again(store)
                assert state_of(store) in (before, behind)
            self._model.state = state_of(store)
        else:
            if self._disk.raised:
                assert state_of(store) == behind
        return store

    def _open_again(self, store: Store) -> Store:
        """After a failed sync nobody can tell what is on the disk: the store takes nothing."""
        self._disk.mend()
        if self._disk.raised == "sync_log":
            with pytest.raises(EngineUnavailableError, match="open it again"):
                take_step(store, Step((Put("refused", b""),)))
        store.close()
        return open_store(self._disk, self._base, segment_bytes=SEGMENT_BYTES)
