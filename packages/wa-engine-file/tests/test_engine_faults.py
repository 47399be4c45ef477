"""What callers of the engine see of a failing disk: one of our errors, and an honest state [F2]."""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import suppress
from pathlib import Path

import pytest
from file_bench.disks import FaultyDisk
from file_bench.driver import open_store
from wa_core.errors import EngineUnavailableError, FencedError
from wa_core.storage import Batch, Durability
from wa_engine_file.disk import Disk
from wa_engine_file.engine import FileEngine
from wa_engine_file.keys import CONTROL
from wa_engine_file.lock import WriterLock

SAVES = 30


def failing_disk(number: int, *, lasting: bool) -> FaultyDisk:
    def fault() -> OSError:
        return OSError(number, os.strerror(number))

    return FaultyDisk(fault, lasting=lasting, short=True)


def open_on(
    disk: Disk,
    base: Path,
    *,
    level: Durability = Durability.POWER,
    segment_bytes: int = 5000,
) -> FileEngine:
    synced = level is Durability.POWER
    store = open_store(disk, str(base), synced=synced, segment_bytes=segment_bytes)
    return FileEngine(store, WriterLock(f"{base}/{CONTROL}"), durability=level)


async def save_many(engine: FileEngine, round_name: str) -> dict[str, bytes]:
    """Save at once; return what was acknowledged."""
    keys = [f"{round_name}/{number}" for number in range(SAVES)]
    calls = [engine.set(key, key * 20) for key in keys]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(result is None or type(result) is EngineUnavailableError for result in results)
    return {
        key: (key * 20).encode()
        for key, result in zip(keys, results, strict=True)
        if result is None
    }


@pytest.mark.parametrize("level", [Durability.POWER, Durability.PROCESS])
@pytest.mark.parametrize("call", [1, 2, 5, 17, 40])
async def test_a_full_disk_fails_saves_and_lets_them_through_once_there_is_room(
    tmp_path: Path, level: Durability, call: int
) -> None:
    disk = failing_disk(errno.ENOSPC, lasting=True)
    engine = open_on(disk, tmp_path, level=level)
    kept = await save_many(engine, "before")
    disk.break_at(call)

    kept |= await save_many(engine, "full")
    kept |= await save_many(engine, "still")

    assert disk.raised
    found = await engine.get_many(kept)
    assert found == kept
    assert set(await engine.list(limit=None)) == set(kept)
    disk.mend()
    kept |= await save_many(engine, "after")
    assert len([key for key in kept if key.startswith("after/")]) == SAVES
    await engine.close()
    again = open_on(Disk(), tmp_path)
    assert {entry.key: entry.value async for entry in again.scan()} == kept
    await again.close()


async def test_after_a_failed_sync_nothing_is_taken_until_the_engine_is_opened_again(
    tmp_path: Path,
) -> None:
    disk = failing_disk(errno.EIO, lasting=False)
    engine = open_on(disk, tmp_path, segment_bytes=10**6)
    kept = await save_many(engine, "before")
    call = 0
    while disk.raised != "sync_log":
        assert call < 20
        call += 1
        disk.break_at(call)
        with suppress(EngineUnavailableError):
            await engine.set("unsure", f"maybe {call}")
    assert disk.raised == "sync_log"

    assert await save_many(engine, "refused") == {}
    assert await engine.get_many(kept) == kept
    await engine.close()

    again = open_on(Disk(), tmp_path)
    assert await again.get_many(kept) == kept
    assert await again.count("refused/") == 0
    assert await again.get("unsure") in (
        None,
        *(f"maybe {number}".encode() for number in range(call + 1)),
    )
    await again.close()


async def test_a_read_error_is_no_absence(tmp_path: Path) -> None:
    disk = failing_disk(errno.EIO, lasting=False)
    engine = open_on(disk, tmp_path)
    await engine.set("session/creds", "precious")
    disk.break_at(1)

    with pytest.raises(EngineUnavailableError, match="EIO"):
        await engine.get("session/creds")

    assert disk.raised == "read"
    assert await engine.get("session/creds") == b"precious"
    await engine.close()


async def test_a_lease_that_could_not_be_written_down_is_not_held(tmp_path: Path) -> None:
    disk = failing_disk(errno.ENOSPC, lasting=True)
    engine = open_on(disk, tmp_path)
    first = await engine.acquire("one", 60)
    await first.release()
    disk.break_at(1)

    with pytest.raises(EngineUnavailableError):
        await engine.acquire("two", 60)
    disk.mend()
    third = await engine.acquire("three", 60)

    assert third.epoch > first.epoch
    with pytest.raises(FencedError):
        await engine.apply(Batch().put("k", b"v"), fence=first)
    await engine.apply(Batch().put("k", b"v"), fence=third)
    await engine.close()
