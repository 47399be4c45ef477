"""T2: power loss at every moment of a run, in thousands of ways, loses nothing that was promised.

The explorer is trusted because it finds what is wrong with engines that forget one kind of sync.
A failure names its seed; `Setup` with that seed runs the same events again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import wa_engine_file.manifest
from file_bench.crash_states import Explorer, Setup, ViolationError
from file_bench.recording import Skips
from file_bench.script import Step, write_script
from wa_core.storage import Delete, Put
from wa_engine_file.disk import Disk

pytestmark = pytest.mark.once

STEPS = 40
IN_CI = (
    Setup(1),
    Setup(2, segment_bytes=6000, tries=7),
    Setup(3, segment_bytes=60_000, syncs_all=True, tries=5),
    Setup(4, segment_bytes=900, tries=3, again=60),
)
AT_LEAST = 5_000
SOAK_AT_LEAST = 100_000


@pytest.fixture(autouse=True)
def often_compacted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wa_engine_file.manifest, "COMPACT_FROM", 12)


def explored(folder: Path, setup: Setup) -> int:
    explorer = Explorer(folder, setup)
    explorer.explore(write_script(setup.seed, STEPS))
    print(f"{setup}: {explorer.checked} states, {explorer.cut_again} recoveries cut off")
    return explorer.checked


def test_no_power_loss_loses_or_tears_a_batch(quick_path: Path) -> None:
    counts = [explored(quick_path, setup) for setup in IN_CI]

    assert sum(counts) >= AT_LEAST


@pytest.mark.parametrize("later", ["b", "a/3", "a"])
def test_a_folder_that_goes_while_it_is_synced_brings_nothing_back(
    quick_path: Path, later: str
) -> None:
    script = [
        Step((Put("a/1", b"1"), Put("a/2", b"2"))),
        Step((Delete("a/1"),)),
        Step((Delete("a/2"),)),
        Step((Put(later, b"later"),)),
    ]

    for seed in range(25):
        Explorer(quick_path, Setup(seed, segment_bytes=1, tries=6)).explore(script)


@pytest.mark.soak
def test_no_power_loss_loses_or_tears_a_batch_at_length(quick_path: Path) -> None:
    total = sum(explored(quick_path, setup) for setup in until_enough())

    assert total >= SOAK_AT_LEAST


def until_enough() -> Iterator[Setup]:
    for seed in range(100, 140):
        again = 20 if seed % 4 == 0 else 0
        size = (900, 2000, 6000, 60_000)[seed % 4]
        yield Setup(seed, syncs_all=seed % 8 == 3, segment_bytes=size, tries=12, again=again)


def forgets_the_journal(call: str, path: str) -> bool:
    return call == "sync_log" and "journal" in path


def forgets_the_manifest(call: str, path: str) -> bool:
    return call == "sync_log" and "manifest" in path


def forgets_the_new_manifest(call: str, path: str) -> bool:
    return call == "sync_path" and path.endswith("manifest.new")


def forgets_our_own_folder(call: str, path: str) -> bool:
    return call == "sync_path" and path == ".wa"


MUTANTS: tuple[Skips, ...] = (
    forgets_the_journal,
    forgets_the_manifest,
    forgets_the_new_manifest,
    forgets_our_own_folder,
)


@pytest.mark.parametrize("skips", MUTANTS)
def test_an_engine_that_forgets_a_sync_is_found_out(quick_path: Path, skips: Skips) -> None:
    explorer = Explorer(quick_path, Setup(1, skips=skips))

    with pytest.raises(ViolationError, match="seed 1"):
        explorer.explore(write_script(1, STEPS))

    assert explorer.checked > 1


@pytest.mark.parametrize("kind", ["files", "folders"])
def test_a_checkpoint_that_forgets_to_sync_is_found_out(
    quick_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sync(disk: Disk, files: Iterable[str], folders: Iterable[str], base: str) -> None:
        for path in files if kind == "folders" else folders:
            disk.sync_path(path)

    monkeypatch.setattr(Disk, "sync", sync)

    with pytest.raises(ViolationError, match="seed 1"):
        Explorer(quick_path, Setup(1)).explore(write_script(1, STEPS))


def test_a_checkpoint_of_everything_that_syncs_nothing_is_found_out(quick_path: Path) -> None:
    setup = Setup(3, segment_bytes=60_000, syncs_all=True, skips=lambda call, _: call == "sync_all")

    with pytest.raises(ViolationError, match="seed 3"):
        Explorer(quick_path, setup).explore(write_script(3, STEPS))


def test_the_same_seed_finds_the_same_states(quick_path: Path) -> None:
    counts = {explored(quick_path, Setup(5, segment_bytes=900, tries=2)) for _ in range(2)}

    assert len(counts) == 1
