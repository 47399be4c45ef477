"""A disk that does its work and remembers it, and a store that says when its checkpoints run.

The idea: a checkpoint runs on a thread of its own. Its calls are kept apart and woven into the
others later, by dice: so a seed stands for one order of events, and many seeds for many orders.
"""

from __future__ import annotations

import os
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from wa_engine_file.disk import Disk
from wa_engine_file.store import Store

from file_bench.model_disk import ModelDisk
from file_bench.script import State


@dataclass(frozen=True, eq=False)
class Expected:
    """What any opener from now on may find."""

    states: tuple[State, ...]
    last: int
    epoch: int


Event = Callable[[ModelDisk], None] | Expected


@dataclass(slots=True)
class Log:
    """The events of a run."""

    main: list[Event | deque[Event] | None] = field(default_factory=list)
    """Events; a queue where a checkpoint begins, whose events come until the next None."""
    side: deque[Event] = field(default_factory=deque)
    owner: int = field(default_factory=threading.get_ident)

    def add(self, event: Event) -> None:
        """Note one event of the current thread."""
        if threading.get_ident() == self.owner:
            self.main.append(event)
        else:
            self.side.append(event)

    def fork(self) -> None:
        """Note that a checkpoint runs from here on."""
        self.main.append(self.side)

    def join(self) -> None:
        """Note that it is over."""
        self.main.append(None)
        self.side = deque()

    def woven(self, dice: random.Random) -> Iterator[Event]:
        """Yield all events in an order that could have been."""
        side: deque[Event] = deque()
        haste = 0.0
        for event in self.main:
            if isinstance(event, deque):
                side, haste = deque(event), dice.choice((0.1, 0.5, 0.9))
                continue
            while side and (event is None or dice.random() < haste):
                yield side.popleft()
            if event is not None:
                yield event


Skips = Callable[[str, str], bool]


def skips_nothing(call: str, path: str) -> bool:
    """Sync all that is to be synced."""
    return False


class RecordingDisk(Disk):
    """Works below one folder; `skips(call, path)` names syncs that it only pretends to do."""

    def __init__(self, base: str, log: Log, *, syncs_all: bool, skips: Skips) -> None:
        self._base = base
        self._log = log
        self._syncs_all = syncs_all
        self._skips = skips
        self._tokens: dict[int, tuple[int, str]] = {}
        self._given = 0

    @property
    def syncs_all(self) -> bool:
        return self._syncs_all

    def create(self, path: str, data: bytes, at: int) -> None:
        super().create(path, data, at)
        inner = self._inner(path)
        self._log.add(lambda disk: disk.create(inner, data, at))

    def open_log(self, path: str) -> int:
        handle = super().open_log(path)
        self._given += 1
        token, inner = self._given, self._inner(path)
        self._tokens[handle] = token, inner
        self._log.add(lambda disk: disk.open_log(inner, token))
        return handle

    def write_at(self, handle: int, data: bytes, offset: int) -> None:
        super().write_at(handle, data, offset)
        token, _ = self._tokens[handle]
        self._log.add(lambda disk: disk.write_at(token, data, offset))

    def truncate(self, handle: int, size: int) -> None:
        super().truncate(handle, size)
        token, _ = self._tokens[handle]
        self._log.add(lambda disk: disk.truncate(token, size))

    def sync_log(self, handle: int) -> None:
        token, inner = self._tokens[handle]
        if not self._skips("sync_log", inner):
            self._log.add(lambda disk: disk.sync_log(token))

    def rename(self, source: str, target: str) -> None:
        super().rename(source, target)
        old, new = self._inner(source), self._inner(target)
        self._log.add(lambda disk: disk.rename(old, new))

    def unlink(self, path: str) -> None:
        there = os.path.isfile(path)
        super().unlink(path)
        if there:
            inner = self._inner(path)
            self._log.add(lambda disk: disk.unlink(inner))

    def make_folder(self, path: str) -> None:
        there = os.path.isdir(path)
        super().make_folder(path)
        if not there:
            inner = self._inner(path)
            self._log.add(lambda disk: disk.make_folder(inner))

    def drop_folder(self, path: str) -> bool:
        there = os.path.isdir(path)
        gone = super().drop_folder(path)
        if there and gone:
            inner = self._inner(path)
            self._log.add(lambda disk: disk.unlink(inner))
        return gone

    def sync_path(self, path: str) -> None:
        inner = self._inner(path)
        if (inner or path == self._base) and not self._skips("sync_path", inner):
            self._log.add(lambda disk: disk.sync_path(inner))

    def _sync_all(self, base: str) -> None:
        if not self._skips("sync_all", ""):
            self._log.add(lambda disk: disk.sync_all())

    def _inner(self, path: str) -> str:
        return path[len(self._base) + 1 :] if path.startswith(self._base + "/") else ""


class RecordedStore(Store):
    """Says where the thread of a checkpoint begins and ends."""

    log: Log

    def _turn_over(self) -> None:
        super()._turn_over()
        self.log.fork()

    def _wait_for_checkpoint(self) -> None:
        super()._wait_for_checkpoint()
        log: Log | None = getattr(self, "log", None)
        if log is not None:
            log.join()


def recorded_kind(log: Log) -> type[RecordedStore]:
    """Make a store class that reports to `log`, also while it opens."""
    return type("RecordedStore", (RecordedStore,), {"log": log})
