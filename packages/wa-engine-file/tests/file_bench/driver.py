"""A store driven without an event loop: the shortest way from a script to the disk."""

from __future__ import annotations

import os
from collections.abc import Callable

from wa_core.storage import PositionClock
from wa_engine_file.contents import Contents, MemoryContents
from wa_engine_file.disk import Disk
from wa_engine_file.engine import proven
from wa_engine_file.keys import CONTROL, Spelling
from wa_engine_file.place import place
from wa_engine_file.places import make_base
from wa_engine_file.plan import Plan
from wa_engine_file.store import Store

from file_bench.script import State, Step

FIXTURES = {f"{CONTROL}/{name}" for name in ("manifest", "journal.0", "journal.1", "lock")}


def open_store(
    disk: Disk,
    base: str,
    *,
    kind: type[Store] = Store,
    empty: Callable[[], Contents] = MemoryContents,
    synced: bool = True,
    segment_bytes: int = 2000,
    adopt: bool = False,
) -> Store:
    """Open a store whose clock stands still, so that a script gets the same positions always."""
    make_base(disk, base)
    store = kind(disk, base, synced=synced, segment_bytes=segment_bytes, adopt=adopt, empty=empty)
    store.clock = PositionClock(last=store.clock.last, now=lambda: 0)
    return store


def take_step(store: Store, step: Step) -> None:
    """Commit one step, as the queue of the engine does."""
    index = store.contents.index
    if step.grants:
        store.leases.grant("bench", 0.000001)
    plan = Plan(index, store.clock)
    if step.operations is None:
        plan.clear()
    else:
        plan.add(step.operations)
    change = plan.change()
    change.epoch = store.leases.epoch
    place(change, store.contents, store.spelling)
    if store.would_write(change):
        store.commit(change)
        store.contents.take(change)


def state_of(store: Store) -> State:
    """Read everything, as proven."""
    found: State = {}
    for key, known in store.contents.known(store.contents.index.page()).items():
        entry = proven(key, store.read(key), known)
        found[key] = entry.value, entry.at
    return found


def tree_of(state: State, spelling: Spelling = Spelling.PLAIN) -> set[str]:
    """Name the files that must be there for a state, and no others [Y1, K3, C3]."""
    folders = {name.rpartition("/")[0] for name in state}
    while more := {name.rpartition("/")[0] for name in folders} - folders:
        folders |= more
    return {spelling.own(key) if key in folders else spelling.path(key) for key in state}


def strays(base: str, state: State, spelling: Spelling = Spelling.PLAIN) -> list[str]:
    """Name what differs between the folder and what it must hold: files, empty folders."""
    wanted, found = tree_of(state, spelling), set()
    for folder, folders, files in os.walk(base):
        inner = os.path.relpath(folder, base)
        found |= {os.path.normpath(f"{inner}/{name}") for name in files}
        if not folders and not files and inner not in (".", CONTROL):
            found.add(inner + "/")
    return sorted((found - FIXTURES) ^ wanted)


def abandon(store: Store) -> None:
    """Leave a store as a dead process would: nothing is settled, the descriptors are closed."""
    store._wait_for_checkpoint()
    store._segment.close()
    store._manifest.close()
