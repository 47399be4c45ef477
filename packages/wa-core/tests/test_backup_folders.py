"""Folders of backups: what they are called, what is listed, and what rotation may remove."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from archive_bench.made import CHEAP, KEY, OTHER, SECRET, TAKEN_AT, VARIABLE, entries, write_archive
from migrate_bench.sample import fill
from migrate_bench.small import RECORDS
from wa_core.archive import About
from wa_core.archive.shelf import file_name, listed, rotate
from wa_core.archive.writer import ArchiveWriter
from wa_core.backup import create, list_backups, rotate_backups
from wa_core.errors import DamagedArchiveError, UsageError, WrongKeyError

DAY_US = 86_400_000_000


def about(day: int, session: str = "bot", *, last: bool = False) -> About:
    return About(session=session, taken_at=TAKEN_AT + day * DAY_US, last_state=last)


def shelve(folder: Path, told: About) -> str:
    """Put a backup into a folder, and return its name."""
    name = file_name(told.session, told.taken_at)
    write_archive(folder / name, entries(5), about=told)
    return name


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_names_say_session_and_time_and_sort_by_age() -> None:
    names = [file_name("my bot/2", TAKEN_AT + day * DAY_US) for day in range(400)]

    assert names == sorted(names)
    assert names[0] == "my bot%2F2-20260921T141320.000000Z.wa-archive"
    assert file_name("", 0) == "session-19700101T000000.000000Z.wa-archive"
    long = [file_name("s" * 200 + end, 0) for end in "ab"]
    assert long[0] != long[1]
    assert max(map(len, long)) < 200


async def test_backups_are_listed_newest_first_with_what_they_say(tmp_path: Path) -> None:
    names = [shelve(tmp_path, about(day)) for day in (2, 3, 1)]
    write_archive(tmp_path / "foreign", entries(3), OTHER)
    damage(tmp_path / names[2])
    for name, data in (("notes.txt", b"hello"), ("empty", b"")):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "folder.wa-archive").mkdir()

    glance = await listed(str(tmp_path), SECRET)
    whole = await listed(str(tmp_path), SECRET, verify=True)

    by_age = [names[1], names[0], names[2], "foreign"]
    assert [os.path.basename(each.path) for each in glance] == by_age
    assert [os.path.basename(each.path) for each in whole] == by_age
    assert [each.verified for each in glance] == [None, None, None, False]
    assert [each.verified for each in whole] == [True, True, False, False]
    assert [type(each.error) for each in whole[2:]] == [DamagedArchiveError, WrongKeyError]
    assert [each.records for each in glance] == [len(entries(5))] * 3 + [0]
    assert glance[0].about == about(3)
    assert glance[0].file_size == (tmp_path / names[1]).stat().st_size


async def test_rotation_keeps_the_newest_of_one_session_and_touches_nothing_else(
    tmp_path: Path,
) -> None:
    old = [shelve(tmp_path, about(day)) for day in range(3)]
    new = [shelve(tmp_path, about(day)) for day in (3, 4)]
    others = [
        shelve(tmp_path, about(0, "other")),
        shelve(tmp_path, about(0, "bot 2")),
        shelve(tmp_path, about(-1, last=True)),
    ]
    moved = shelve(tmp_path, about(-2))
    (tmp_path / f"{moved}.move").write_bytes(b"{}")
    write_archive(tmp_path / "foreign", entries(3), OTHER, about=about(0))
    (tmp_path / "bot-20200101T000000.000000Z.wa-archive").write_bytes(b"not ours")
    kept = {*new, *others, moved, f"{moved}.move", "foreign"}

    gone = await rotate(str(tmp_path), SECRET, about(9), 2)

    assert sorted(map(os.path.basename, gone)) == sorted(old)
    assert set(os.listdir(tmp_path)) == kept | {"bot-20200101T000000.000000Z.wa-archive"}


async def test_the_newest_sound_backup_stays_however_many_newer_ones_are_damaged(
    tmp_path: Path,
) -> None:
    names = [shelve(tmp_path, about(day)) for day in range(5)]
    for name in names[2:]:
        damage(tmp_path / name)

    gone = await rotate(str(tmp_path), SECRET, about(9), 2)

    assert sorted(map(os.path.basename, gone)) == [names[0], names[2]]


async def test_where_none_is_sound_none_is_removed(tmp_path: Path) -> None:
    for day in range(4):
        damage(tmp_path / shelve(tmp_path, about(day)))

    assert await rotate(str(tmp_path), SECRET, about(9), 1) == []
    assert len(os.listdir(tmp_path)) == 4


async def test_at_least_one_is_kept(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least one"):
        await rotate(str(tmp_path), SECRET, about(9), 0)


async def test_what_dead_writers_left_goes_and_what_a_living_one_writes_stays(
    tmp_path: Path,
) -> None:
    name = shelve(tmp_path, about(0))
    dead = tmp_path / (file_name("bot", 5) + ".partial")
    dead.write_bytes((tmp_path / name).read_bytes()[:200])
    living = file_name("bot", 6)

    with ArchiveWriter(str(tmp_path / living), SECRET, about(0), cost=CHEAP) as writer:
        writer.add(entries(1)[0])
        writer.flush()
        await rotate(str(tmp_path), SECRET, about(9), 1)
        assert set(os.listdir(tmp_path)) == {name, f"{living}.partial"}
        writer.finish()


async def test_backups_of_a_session_are_taken_into_a_folder_and_rotated(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, KEY)
    await fill(source + "#bot", RECORDS)
    folder = f"archive:{tmp_path}/backups/?key=env:{VARIABLE}"

    taken = [await create(source + "#bot", folder, keep=2) for _ in range(4)]
    found = await list_backups(folder, verify=True)

    assert [each.path for each in found] == [taken[3].path, taken[2].path]
    assert all(each.verified and each.about and each.about.session == "bot" for each in found)
    assert await rotate_backups(folder, taken[3].about, keep=1) == [taken[2].path]
