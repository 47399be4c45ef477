"""`archive:` as an engine: it says what the memory engine would say of the same records."""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path

import pytest
from archive_bench.made import (
    CHEAP,
    KEY,
    SECRET,
    TAKEN_AT,
    VARIABLE,
    entries,
    url_of,
    write_archive,
)
from wa_core.archive import About, ArchiveTarget, open_archive
from wa_core.archive.place import MARKER_KEY, MarkerFile
from wa_core.archive.staging import Staging
from wa_core.archive.writer import PARTIAL, ArchiveWriter
from wa_core.errors import (
    DamagedArchiveError,
    EngineBusyError,
    ReadOnlyError,
    StorageError,
    UnsupportedError,
    UsageError,
    ValueTooLargeError,
)
from wa_core.state.moves import MOVE_KEY
from wa_core.storage import Batch, Entry, MemoryEngine, open_engine

PREFIXES = ["", "chat/", "chat/1", "chat/1/", "chat/49/message/8", "plugin/", "session/creds", "z"]


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Write an archive of a thousand records, and return its URL."""
    monkeypatch.setenv(VARIABLE, KEY)
    write_archive(tmp_path / "a", entries(1000))
    return url_of(tmp_path / "a")


async def in_memory(records: list[Entry]) -> MemoryEngine:
    engine, batch = MemoryEngine(), Batch()
    for entry in records:
        batch.put(entry.key, entry.value, at=entry.at)
    await engine.apply(batch)
    return engine


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_it_lists_counts_and_scans_as_every_engine_does(archive: str, prefix: str) -> None:
    model = await in_memory(entries(1000))

    async with await open_engine(archive, read_only=True) as engine:
        for offset, limit in ((0, None), (0, 7), (3, 50), (900, 500), (5000, 1)):
            page = await engine.list(prefix, offset, limit)
            assert page == await model.list(prefix, offset, limit)
        assert await engine.count(prefix) == await model.count(prefix)
        found = {entry.key: entry async for entry in engine.scan(prefix)}
        assert found == {entry.key: entry async for entry in model.scan(prefix)}


async def test_equal_positions_are_listed_by_key(tmp_path: Path) -> None:
    records = [Entry(f"k/{number:03}", b"", 5 + number % 2) for number in range(300)]
    write_archive(tmp_path / "a", records)
    model = await in_memory(records)

    async with await open_archive(str(tmp_path / "a"), SECRET) as engine:
        assert await engine.list("k/", 0, None) == await model.list("k/", 0, None)


async def test_it_finds_what_is_there_and_proves_what_is_not(archive: str) -> None:
    records = {entry.key: entry.value for entry in entries(1000)}
    missing = [key + "x" for key in records] + ["a", "session", "zz", "\U0010ffff"]

    async with await open_engine(archive, read_only=True) as engine:
        assert await engine.get_many([*records, *missing]) == records
        assert await engine.get("session/creds") == records["session/creds"]
        assert await engine.get("session") is None


async def test_an_empty_archive_is_an_empty_session(tmp_path: Path) -> None:
    write_archive(tmp_path / "a", [])

    async with await open_archive(str(tmp_path / "a"), SECRET) as engine:
        assert await engine.list(limit=None) == []
        assert (await engine.count(), await engine.get("session/creds")) == (0, None)
        assert [entry async for entry in engine.scan()] == []


async def test_nothing_writes_to_it(archive: str) -> None:
    with pytest.raises(UsageError, match="wa backup create"):
        await open_engine(archive)

    async with await open_engine(archive, read_only=True) as engine:
        with pytest.raises(ReadOnlyError):
            await engine.set("session/creds", b"new")
        with pytest.raises(ReadOnlyError):
            await engine.clear()
        with pytest.raises(ReadOnlyError):
            await engine.acquire("a worker", 1)


async def test_as_the_source_of_a_move_nothing_but_its_marker_can_be_written(
    archive: str, tmp_path: Path
) -> None:
    before = (tmp_path / "a").read_bytes()

    async with await open_archive(str(tmp_path / "a"), SECRET, moving=True) as engine:
        for batch in (
            Batch().put("session/creds", b"new"),
            Batch().put(MOVE_KEY, b"{}").delete("chat/1"),
        ):
            with pytest.raises(ReadOnlyError):
                await engine.apply(batch)
        await engine.set(MOVE_KEY, b"marker")
        assert await engine.get(MOVE_KEY) == b"marker"
        assert (await engine.list(limit=1), await engine.count("wa/")) == ([MOVE_KEY], 1)
        assert await engine.count() == len(entries(1000)) + 1
        assert sum([1 async for _ in engine.scan()]) == len(entries(1000)) + 1
        assert len(await engine.list("", 1, 2)) == 2
        await engine.set(MOVE_KEY, None)
        assert await engine.get(MOVE_KEY) is None

    assert (tmp_path / "a").read_bytes() == before
    assert MARKER_KEY == MOVE_KEY


async def test_damage_is_found_by_every_call_that_could_meet_it(tmp_path: Path) -> None:
    write_archive(tmp_path / "a", entries(50))
    data = bytearray((tmp_path / "a").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "a").write_bytes(data)

    async with await open_archive(str(tmp_path / "a"), SECRET) as engine:
        for _ in range(2):
            with pytest.raises(DamagedArchiveError):
                await engine.get("session/creds")
            with pytest.raises(DamagedArchiveError):
                await engine.list()
        with pytest.raises(DamagedArchiveError):
            _ = [entry async for entry in engine.scan()]


def test_the_writer_keeps_the_order_and_the_limits(tmp_path: Path) -> None:
    with ArchiveWriter(str(tmp_path / "a"), SECRET, About(taken_at=1)) as writer:
        writer.add(Entry("b", b"", 1))
        for key in ("a", "b"):
            with pytest.raises(UsageError, match="order"):
                writer.add(Entry(key, b"", 1))
        with pytest.raises(ValueTooLargeError):
            writer.add(Entry("c", bytes(64 * 1024 * 1024 + 1), 1))

    assert os.listdir(tmp_path) == []


def test_an_archive_that_is_not_finished_leaves_nothing_behind(tmp_path: Path) -> None:
    with ArchiveWriter(str(tmp_path / "a"), SECRET, About(taken_at=1)) as writer:
        writer.add(Entry("b", b"", 1))
        assert os.listdir(tmp_path) == ["a" + PARTIAL]

    assert os.listdir(tmp_path) == []


def test_what_a_dead_writer_left_is_taken_over_and_a_living_one_is_not(tmp_path: Path) -> None:
    (tmp_path / f"a{PARTIAL}").write_bytes(b"half an archive")
    with ArchiveWriter(str(tmp_path / "a"), SECRET, About(taken_at=1)) as writer:
        with pytest.raises(EngineBusyError):
            ArchiveWriter(str(tmp_path / "a"), SECRET, About(taken_at=1))
        writer.finish()

    with pytest.raises(UsageError, match="never written over"):
        ArchiveWriter(str(tmp_path / "a"), SECRET, About(taken_at=1))
    assert os.listdir(tmp_path) == ["a"]


def test_nobody_else_can_read_it_whatever_the_umask_and_no_link_is_followed(
    tmp_path: Path,
) -> None:
    (tmp_path / f"linked{PARTIAL}").symlink_to(tmp_path / "elsewhere")
    former = os.umask(0)
    try:
        write_archive(tmp_path / "a", entries(3))
        MarkerFile(str(tmp_path / "a")).write(b"{}")
        with pytest.raises(StorageError):
            write_archive(tmp_path / "linked", [])
    finally:
        os.umask(former)

    for name in ("a", "a.move"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert not (tmp_path / "elsewhere").exists()


async def test_a_target_takes_records_in_any_order_and_is_complete_when_it_is_told(
    tmp_path: Path,
) -> None:
    records = entries(100)
    shuffled = random.Random(1).sample(records, len(records))
    path = str(tmp_path / "a")

    async with ArchiveTarget(path, SECRET, About(taken_at=TAKEN_AT), cost=CHEAP) as target:
        await target.set(MOVE_KEY, b"marker")
        assert (await target.get(MOVE_KEY), await target.list()) == (b"marker", [MOVE_KEY])
        for entry in shuffled:
            await target.set(entry.key, entry.value, at=entry.at)
        for call in (target.clear(), target.set("chat/1", None)):
            with pytest.raises(UnsupportedError):
                await call
        assert sorted(os.listdir(tmp_path)) == ["a.move"]
        await target.complete()
        await target.set(MOVE_KEY, None)

    async with await open_archive(path, SECRET) as engine:
        assert [entry async for entry in engine.scan()] == records
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("run_bytes", [1, 3000, 10_000_000])
def test_staged_records_come_back_in_order_in_runs_of_any_size(
    tmp_path: Path, run_bytes: int
) -> None:
    records = entries(500, size=200)
    shuffled = random.Random(2).sample(records, len(records))

    with Staging(str(tmp_path), run_bytes=run_bytes) as staging:
        staging.add_all(shuffled)
        assert list(staging.merged()) == records
        assert list(staging.merged()) == records
        assert os.listdir(tmp_path) == []


def test_staged_records_lie_sealed_on_the_disk(tmp_path: Path) -> None:
    secret = b"a secret that is easy to find"

    with Staging(str(tmp_path)) as staging:
        staging.add_all([Entry(f"chat/{n:04}/{secret.decode()}", secret, n) for n in range(100)])
        assert sum(1 for _ in staging.merged()) == 100
        held = os.pread(staging.fileno(), 1_000_000, 0)

    assert len(held) > 100 * len(secret)
    assert secret not in held
