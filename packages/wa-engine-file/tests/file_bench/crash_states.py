"""The crash-state explorer: run, cut the power at every moment, open, and compare [W1, W2, G2].

A run is recorded; each beginning of it is played into a model disk, and from there every way of
losing what was not yet synced is tried by dice. Whatever is left must open, without any error,
as the state that was acknowledged last or, while a batch is in flight, as the one behind it.
Some of what is left is opened by a recorded run again, and the power is cut while it recovers.
"""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from wa_core.errors import StorageError
from wa_engine_file.disk import Disk

from file_bench.driver import open_store, state_of, strays, take_step
from file_bench.model_disk import Luck, ModelDisk, Remains, power_loss
from file_bench.recording import (
    Expected,
    Log,
    RecordingDisk,
    Skips,
    recorded_kind,
    skips_nothing,
)
from file_bench.script import Model, State, Step, write_script

BLANK = Expected(({},), 0, 0)
CORNERS = (
    Luck(names=1, sectors=1, sizes=1),
    Luck(names=0, sectors=0, sizes=0),
    Luck(names=1, sectors=0, sizes=0),
    Luck(names=1, sectors=0, sizes=1),
    Luck(names=0, sectors=1, sizes=1),
)


@dataclass(frozen=True, slots=True)
class Setup:
    """What differs between explorations."""

    seed: int
    syncs_all: bool = False
    segment_bytes: int = 2000
    skips: Skips = skips_nothing
    tries: int = 9
    """How often the power is cut after one event."""
    again: int = 0
    """One state in so many is opened by a recorded run, and cut off again; 0 is none."""


class ViolationError(AssertionError):
    """A crash state that does not open as it must."""


class Explorer:
    """Explores one script, and counts what it has seen."""

    def __init__(self, folder: Path, setup: Setup) -> None:
        self._folder = folder
        self._setup = setup
        self._dice = random.Random(setup.seed)
        self._seen: set[tuple[int, Expected]] = set()
        self.cut_again = 0
        """How many recoveries were cut off in their turn."""

    @property
    def checked(self) -> int:
        """How many different states were opened."""
        return len(self._seen)

    def explore(self, script: list[Step]) -> None:
        """Run the script and cut the power everywhere, or raise `ViolationError`."""
        with patch("secrets.token_bytes", self._dice.randbytes):
            log = self._record(Remains(), script, BLANK)
            self._cut_everywhere(log, ModelDisk(), BLANK, again=self._setup.again)

    def _record(self, begin: Remains, script: list[Step], expected: Expected) -> Log:
        """Run the script on a real folder that begins as given."""
        log, model, setup = Log(), Model(), self._setup
        with tempfile.TemporaryDirectory(dir=self._folder) as base:
            begin.write(base)
            disk = RecordingDisk(base, log, syncs_all=setup.syncs_all, skips=setup.skips)
            kind = recorded_kind(log)
            store = open_store(disk, base, kind=kind, segment_bytes=setup.segment_bytes)
            model.state, model.last = state_of(store), store.clock.last
            model.epoch = store.leases.epoch
            last, epoch = expected.last, expected.epoch
            log.add(Expected((model.state,), last, epoch))
            for step in script:
                before = model.state
                model.take(step)
                log.add(Expected((before, model.state), last, epoch))
                take_step(store, step)
                if step.grants or model.state != before:
                    # Else nobody has seen a position that may have been given.
                    last, epoch = model.last, model.epoch
                log.add(Expected((model.state,), last, epoch))
            store.close()
        return log

    def _cut_everywhere(self, log: Log, disk: ModelDisk, expected: Expected, *, again: int) -> None:
        for event in log.woven(self._dice):
            if isinstance(event, Expected):
                expected = event
                continue
            event(disk)
            for luck in [*CORNERS, *self._lucks()][: self._setup.tries]:
                remains = power_loss(disk, luck, self._dice)
                if self._is_new(remains, expected):
                    self._check(remains, expected)
                    if again and self.checked % again == 0:
                        self._cut_again(remains, expected)

    def _is_new(self, remains: Remains, expected: Expected) -> bool:
        mark = remains.fingerprint(), expected
        if mark in self._seen:
            return False
        self._seen.add(mark)
        return True

    def _check(self, remains: Remains, expected: Expected) -> None:
        with tempfile.TemporaryDirectory(dir=self._folder) as base:
            remains.write(base)
            try:
                wrong = self._wrong(base, expected)
            except (StorageError, OSError, ValueError) as exc:
                raise ViolationError(f"seed {self._setup.seed}: {exc!r}") from exc
        if wrong:
            raise ViolationError(f"seed {self._setup.seed}: {wrong}")

    def _wrong(self, base: str, expected: Expected) -> str:
        """Open what is left and say in a few words what is wrong with it."""
        store = open_store(Disk(), base, synced=False, segment_bytes=self._setup.segment_bytes)
        found, last, epoch = state_of(store), store.clock.last, store.leases.epoch
        left = strays(base, found)
        store.close()
        if found not in expected.states:
            return _difference(found, expected.states)
        if last < expected.last or epoch < expected.epoch:
            return f"position {last} or epoch {epoch} would be given twice"
        left = left or strays(base, found)
        return f"left behind or lost: {left}" if left else ""

    def _cut_again(self, remains: Remains, expected: Expected) -> None:
        """Cut the power while the store recovers from the first time, or shortly after."""
        self.cut_again += 1
        script = write_script(self._dice.randrange(2**32), 3)
        log = self._record(remains, script, expected)
        self._cut_everywhere(log, remains.as_disk(), expected, again=0)

    def _lucks(self) -> list[Luck]:
        dice, chances = self._dice, (0.1, 0.5, 0.9)
        return [Luck(dice.choice(chances), dice.choice(chances), dice.random()) for _ in range(16)]


def _difference(found: State, allowed: tuple[State, ...]) -> str:
    newest = allowed[-1]
    lost = sorted(newest.keys() - found.keys())
    extra = sorted(found.keys() - newest.keys())
    other = sorted(key for key in found.keys() & newest.keys() if found[key] != newest[key])
    return f"lost {lost}, extra {extra}, different {other}, {len(allowed)} states allowed"
