"""A batch in somebody else's folder: cut off anywhere, whoever opens it next makes it whole."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wa_core.errors import CorruptRecordError, UnsupportedError
from wa_core.storage import Batch, open_engine
from wa_core.storage.layouts import CREDS, dumps, key_of
from wa_engine_file.disk import Disk
from wa_engine_file.layouts.arcaelas import NestedFolder, ThreeMethodFolder
from wa_engine_file.layouts.baileys import BaileysFolder
from wa_engine_file.layouts.folder import Folder
from wa_engine_file.layouts.layout import Layout

WRITES = ("create", "rename", "unlink", "make_folder", "drop_folder", "sync")
OLD, NEW = dumps({"generation": "old"}), dumps({"generation": "new"})
KEYS = [CREDS, *(key_of("pre-key", str(number)) for number in range(4))]
BEFORE = dict.fromkeys([*KEYS[:3], key_of("session", "9.0")], OLD)
AFTER = dict.fromkeys(KEYS, NEW)
BATCH = Batch().delete("session/session")
for _key in KEYS:
    BATCH.put(_key, NEW)


class Cut(BaseException):
    """The process is gone."""


class FailingDisk(Disk):
    """Fails at one of its calls: as a full disk does, or as a kill, from which nobody recovers."""

    def __init__(self, error: BaseException) -> None:
        self._error = error
        self._left = 10**9
        for name in WRITES:
            setattr(self, name, self._counted(getattr(self, name)))

    def fail_at(self, number: int) -> None:
        self._left = number

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            self._left -= 1
            if self._left == 0 or (self._left < 0 and isinstance(self._error, Cut)):
                raise self._error
            return call(*arguments)

        return counted


def opened(disk: Disk, base: Path, layout: Layout) -> Folder:
    os.makedirs(base / ".wa-layout", exist_ok=True)
    folder = Folder(disk, str(base), layout)
    folder.recover()
    return folder


def contents(folder: Folder) -> dict[str, bytes | None]:
    return {key: folder.read(key) for key, _, _ in folder.walk("")}


@pytest.mark.parametrize("layout", [BaileysFolder(), ThreeMethodFolder(), NestedFolder()])
@pytest.mark.parametrize("error", [Cut(), OSError(errno.ENOSPC, "full")], ids=["killed", "full"])
def test_a_batch_cut_off_anywhere_is_there_as_a_whole_or_not_at_all(
    layout: Layout, error: BaseException, quick_path: Path
) -> None:
    number, outcomes = 0, set()
    while True:
        number += 1
        base = quick_path / str(number)
        before = Batch()
        for key, value in BEFORE.items():
            before.put(key, value)
        opened(Disk(), base, layout).apply([*before])
        disk = FailingDisk(error)
        folder = opened(disk, base, layout)
        disk.fail_at(number)
        try:
            folder.apply([*BATCH])
        except (Cut, OSError):
            found = contents(opened(Disk(), base, layout))
            assert found in (BEFORE, AFTER)
            outcomes.add(found == AFTER)
            assert [*os.listdir(base / ".wa-layout")] == []
        else:
            break

    assert outcomes == {False, True}
    assert number > 10


def test_a_disk_that_was_full_takes_the_same_batch_later(quick_path: Path) -> None:
    disk = FailingDisk(OSError(errno.ENOSPC, "full"))
    folder = opened(disk, quick_path, BaileysFolder())
    disk.fail_at(7)
    with pytest.raises(OSError, match="full"):
        folder.apply([*BATCH])

    folder.apply([*BATCH])

    assert contents(folder) == AFTER


def noted(folder: Path, steps: list[tuple[str | None, str]]) -> None:
    (folder / ".wa-layout").mkdir(parents=True)
    for name, _ in steps:
        if name is not None:
            (folder / ".wa-layout" / name).write_bytes(NEW)
    (folder / ".wa-layout" / "commit.json").write_text(json.dumps({"steps": steps}))


def test_what_the_other_library_wrote_after_the_crash_is_left_to_it(tmp_path: Path) -> None:
    (tmp_path / "pre-key-1.json").parent.mkdir(exist_ok=True)
    (tmp_path / "pre-key-1.json").write_bytes(OLD)
    noted(tmp_path, [("0.new", "creds.json"), (None, "pre-key-1.json"), (None, "pre-key-2.json")])
    note = (tmp_path / ".wa-layout" / "commit.json").stat().st_ctime_ns
    while (tmp_path / ".wa-layout").stat().st_ctime_ns <= note:
        (tmp_path / ".wa-layout" / "later").touch()
        (tmp_path / ".wa-layout" / "later").unlink()
    (tmp_path / "creds.json").write_bytes(OLD)
    (tmp_path / "pre-key-2.json").write_bytes(OLD)

    folder = opened(Disk(), tmp_path, BaileysFolder())

    assert contents(folder) == {CREDS: OLD, key_of("pre-key", "2"): OLD}


async def read_creds(folder: Path) -> bytes | None:
    async with await open_engine(f"baileys:{folder}", read_only=True) as engine:
        return await engine.get(CREDS)


async def test_who_only_reads_finds_a_batch_that_a_killed_writer_had_decided(
    tmp_path: Path,
) -> None:
    (tmp_path / "creds.json").write_bytes(OLD)
    noted(tmp_path, [("0.new", "pre-key-1.json"), (None, "creds.json")])

    assert await read_creds(tmp_path) is None

    assert sorted(os.listdir(tmp_path)) == [".wa-layout", "pre-key-1.json"]


async def test_who_reads_leaves_a_batch_to_a_writer_that_lives(tmp_path: Path) -> None:
    async with await open_engine(f"baileys:{tmp_path}") as writer:
        await writer.set(CREDS, OLD)
        (tmp_path / ".wa-layout" / "commit.json").write_text('{"steps": [[null, "creds.json"]]}')

        assert await read_creds(tmp_path) == OLD


@pytest.mark.parametrize(
    "steps",
    ['{"steps": [["0.new", "../creds.json"]]}', '{"steps": [["../x", "creds.json"]]}', "[", "{}"],
)
def test_a_note_that_is_not_ours_touches_nothing(steps: str, tmp_path: Path) -> None:
    (tmp_path / ".wa-layout").mkdir()
    (tmp_path / ".wa-layout" / "commit.json").write_text(steps)

    with pytest.raises(CorruptRecordError, match=r"commit\.json"):
        opened(Disk(), tmp_path, BaileysFolder())

    assert os.listdir(tmp_path) == [".wa-layout"]


def test_two_names_that_a_file_system_takes_for_one_are_refused(tmp_path: Path) -> None:
    folder = opened(Disk(), tmp_path, BaileysFolder())
    folder.folds = True
    one, two = (key_of("app-state-sync-key", ident) for ident in ("AAAb", "AAAB"))
    folder.apply([*Batch().put(one, OLD)])

    for batch in (Batch().put(two, NEW), Batch().delete(one).put(one, OLD).put(two, NEW)):
        with pytest.raises(UnsupportedError, match="for one"):
            folder.apply([*batch])
    folder.apply([*Batch().put(one, NEW)])

    assert contents(folder) == {one: NEW}
