"""How strong a store opens, and what is said when that is weaker than it could be [D1, D2]."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import wa_engine_file.places
import wa_engine_file.provider
from wa_core.errors import EngineConfigError, InvalidUrlError
from wa_core.storage import Durability, open_engine
from wa_core.storage.medium import is_in_memory
from wa_engine_file.disk import Disk
from wa_engine_file.places import folds_names

MEMORY = "/dev/shm"


@pytest.fixture
def memory_path() -> Iterator[str]:
    assert is_in_memory(MEMORY), "these tests need Linux with a tmpfs there"
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield folder


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the folder for one on a disk, whatever the machine has under its temporary files."""
    monkeypatch.setattr(wa_engine_file.provider, "is_in_memory", lambda _: False)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Name what is synced."""
    seen: list[str] = []
    sync_path, sync_log = Disk.sync_path, Disk.sync_log

    def note_path(disk: Disk, path: str) -> None:
        seen.append(path)
        sync_path(disk, path)

    def note_log(disk: Disk, handle: int) -> None:
        seen.append(os.readlink(f"/proc/self/fd/{handle}"))
        sync_log(disk, handle)

    monkeypatch.setattr(Disk, "sync_path", note_path)
    monkeypatch.setattr(Disk, "sync_log", note_log)
    return seen


@pytest.mark.usefixtures("on_disk")
async def test_a_folder_on_a_disk_opens_at_power_and_says_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with await open_engine(f"file:{tmp_path}") as engine:
        assert engine.capabilities.durability is Durability.POWER

    assert caplog.records == []


async def test_a_folder_in_memory_opens_at_process_and_says_so_once(
    memory_path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with await open_engine(f"file:{memory_path}") as engine:
            assert engine.capabilities.durability is Durability.PROCESS
            await engine.set("k", b"v")

    assert len(caplog.records) == 1
    assert "process" in caplog.records[0].getMessage()


async def test_power_is_refused_where_it_cannot_be(memory_path: str) -> None:
    with pytest.raises(EngineConfigError, match="in memory"):
        await open_engine(f"file:{memory_path}?durability=power")

    async with await open_engine(f"file:{memory_path}?durability=process") as engine:
        assert engine.capabilities.durability is Durability.PROCESS


async def test_volatile_is_no_level_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(EngineConfigError, match="power and process"):
        await open_engine(f"file:{tmp_path}?durability=volatile")
    with pytest.raises(InvalidUrlError):
        await open_engine(f"file:{tmp_path}?durability=eternal")


async def test_a_weaker_level_is_said_and_syncs_nothing_after_opening(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, synced: list[str]
) -> None:
    with caplog.at_level(logging.WARNING):
        async with await open_engine(f"file:{tmp_path}?durability=process") as engine:
            synced.clear()
            await engine.set("k", b"v")

    assert synced == []
    assert len(caplog.records) == 1


@pytest.mark.usefixtures("on_disk")
async def test_every_save_at_power_syncs_the_journal_before_it_returns(
    tmp_path: Path, synced: list[str]
) -> None:
    async with await open_engine(f"file:{tmp_path}?durability=power") as engine:
        for number in range(3):
            synced.clear()
            await engine.set(f"k/{number}", b"v")
            assert [os.path.basename(path) for path in synced] == ["journal.1"]


@pytest.mark.usefixtures("on_disk")
async def test_what_a_weaker_run_left_is_made_sure_before_power_is_promised(
    tmp_path: Path, synced: list[str]
) -> None:
    async with await open_engine(f"file:{tmp_path}?durability=process") as engine:
        await engine.set("k", b"v")
    synced.clear()

    async with await open_engine(f"file:{tmp_path}?durability=power"):
        assert {f"{tmp_path}/.wa", f"{tmp_path}/.wa/manifest"} <= set(synced)


async def test_a_file_system_that_folds_names_gets_the_safe_spelling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wa_engine_file.provider, "folds_names", lambda _: True)

    async with await open_engine(f"file:{tmp_path}") as engine:
        await engine.set("Key", b"1")
        await engine.set("key", b"2")
        assert await engine.get_many(["Key", "key"]) == {"Key": b"1", "key": b"2"}

    names = sorted(path.name for path in tmp_path.iterdir() if path.name != ".wa")
    assert [name.casefold() for name in names] == names
    assert len(names) == 2


def test_the_probe_for_folding_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert folds_names(str(tmp_path)) is False

    monkeypatch.setattr(wa_engine_file.places, "_PROBE_FOLDED", (wa_engine_file.places._PROBE,))
    assert folds_names(str(tmp_path)) is True
    assert list(tmp_path.iterdir()) == []
