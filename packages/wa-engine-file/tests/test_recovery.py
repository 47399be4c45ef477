"""A process that dies in the middle of any call leaves the state before it or behind it [W1, C3].

The disk dies at its Nth call, for every N of a run, and does nothing from then on: for the folder
that is what `kill -9` is. The next store must find all that was acknowledged, and go on.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import wa_engine_file.manifest
from file_bench.disks import Died, DyingDisk
from file_bench.driver import abandon, open_store, state_of, strays, take_step
from file_bench.script import Model, State, Step, write_script
from wa_core.errors import EngineUnavailableError
from wa_engine_file.disk import Disk

pytestmark = pytest.mark.once

STEPS = 30
SEGMENT_BYTES = 3000


@pytest.fixture(autouse=True)
def often_compacted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wa_engine_file.manifest, "COMPACT_FROM", 12)


@pytest.mark.parametrize("part", [0, 40])
@pytest.mark.parametrize("syncs_all", [False, True])
def test_a_run_that_dies_anywhere_is_taken_up_again(
    quick_path: Path, part: int, syncs_all: bool
) -> None:
    script = write_script(7, STEPS)
    dies_at = 0

    survived = False
    while not survived:
        dies_at += 1
        disk = DyingDisk(dies_at, part=part, syncs_all=syncs_all)
        with tempfile.TemporaryDirectory(dir=quick_path) as base:
            done, allowed = run_until_death(disk, base, script)
            survived = not disk.is_dead
            go_on(base, script, done, allowed)

    assert dies_at > 10 * STEPS / 2


def run_until_death(disk: DyingDisk, base: str, script: list[Step]) -> tuple[int, list[State]]:
    """Run as far as the disk lives; return how many steps are done and what may be found."""
    model, done, store = Model(), 0, None
    allowed = [model.state]
    try:
        store = open_store(disk, base, segment_bytes=SEGMENT_BYTES)
        for step in script:
            model.take(step)
            allowed.append(model.state)
            take_step(store, step)
            done, allowed = done + 1, [model.state]
        store.close()
    except (Died, EngineUnavailableError):
        # The death of a checkpoint's thread is seen as a disk that failed to sync.
        assert disk.is_dead
    finally:
        if store is not None:
            abandon(store)
    return done, allowed


def go_on(base: str, script: list[Step], done: int, allowed: list[State]) -> None:
    """Open what is left, check it, and run the rest of the script to its right end."""
    store = open_store(Disk(), base, synced=False, segment_bytes=SEGMENT_BYTES)
    found = state_of(store)
    assert found in allowed
    assert strays(base, found) == []
    model = Model()
    for step in script[:done]:
        model.take(step)
    if found != model.state:
        model.take(script[done])
        done += 1
    assert found == model.state
    assert store.leases.epoch >= model.epoch
    store.clock.last = model.last
    for step in script[done:]:
        model.take(step)
        take_step(store, step)
    store.close()
    assert strays(base, model.state) == []
    again = open_store(Disk(), base, synced=False)
    assert state_of(again) == model.state
    again.close()
