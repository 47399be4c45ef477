"""A flipped byte anywhere in our own files: said or without effect, never an older state [G1, G2].

Nobody can tell a damaged last frame from one that a crash cut off; but then the folder is ahead
of what the manifest knows, and every record that this touches is said to be damaged.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from file_bench.driver import abandon, open_store, state_of, take_step
from file_bench.script import Model, State, Step, write_script
from wa_core.errors import CorruptRecordError, StorageError
from wa_core.storage import Put
from wa_engine_file.disk import Disk

pytestmark = pytest.mark.once

SEGMENT_BYTES = 700


def filled(base: Path, *, closed: bool) -> State:
    """Leave a store with several generations behind, its checkpoints in or not."""
    model = Model()
    store = open_store(Disk(), str(base), synced=False, segment_bytes=SEGMENT_BYTES)
    for step in write_script(21, 12):
        model.take(step)
        take_step(store, step)
    if closed:
        store.close()
    else:
        abandon(store)
    return model.state


def state_found(base: Path) -> State | None:
    """Open and read everything; None when it is said that something is damaged."""
    try:
        store = open_store(Disk(), str(base), synced=False, segment_bytes=SEGMENT_BYTES)
    except StorageError:
        return None
    try:
        return state_of(store)
    except CorruptRecordError:
        return None
    finally:
        store.close()


def used_bytes(path: Path) -> int:
    return len(path.read_bytes().rstrip(b"\0"))


@pytest.mark.parametrize("name", ["manifest", "journal.0", "journal.1"])
def test_a_flip_in_a_closed_store_is_said_or_has_no_effect(quick_path: Path, name: str) -> None:
    good, bad = quick_path / "good", quick_path / "bad"
    state = filled(good, closed=True)

    said = 0
    for at in range(0, used_bytes(good / ".wa" / name), 1 if name == "manifest" else 7):
        shutil.copytree(good, bad)
        flip(bad / ".wa" / name, at)
        found = state_found(bad)
        said += found is None
        assert found in (None, state), at
        shutil.rmtree(bad)

    assert said > 0 or name != "manifest"


def test_a_flip_in_a_journal_that_is_needed_is_said_or_has_no_effect(quick_path: Path) -> None:
    good, bad = quick_path / "good", quick_path / "bad"
    state = filled(good, closed=False)

    outcomes = set()
    for name in ("journal.0", "journal.1"):
        for at in range(0, used_bytes(good / ".wa" / name), 3):
            shutil.copytree(good, bad)
            flip(bad / ".wa" / name, at)
            found = state_found(bad)
            outcomes.add(found is None)
            assert found is None or found.keys() == state.keys(), at
            assert found is None or {k: v for k, (v, _) in found.items()} == {
                k: v for k, (v, _) in state.items()
            }, at
            shutil.rmtree(bad)

    assert outcomes == {True, False}


@pytest.mark.parametrize("cut", [0, 1, 3])
def test_a_truncated_record_is_damaged_and_never_absent(quick_path: Path, cut: int) -> None:
    first = open_store(Disk(), str(quick_path), synced=False)
    take_step(first, Step((Put("session/creds", b"creds"),)))
    first.close()
    os.truncate(quick_path / "session" / "creds", cut)

    store = open_store(Disk(), str(quick_path), synced=False)

    assert store.contents.index.position("session/creds") is not None
    with pytest.raises(CorruptRecordError, match="session/creds"):
        state_of(store)
    store.close()


def test_a_damaged_record_that_moves_stays_damaged(quick_path: Path) -> None:
    store = open_store(Disk(), str(quick_path), synced=False)
    take_step(store, Step((Put("chat", b"value"),)))
    flip(quick_path / "chat", 1)

    take_step(store, Step((Put("chat/1", b"below"),)))

    with pytest.raises(CorruptRecordError, match="'chat'"):
        state_of(store)
    store.close()


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x11
    path.write_bytes(data)
