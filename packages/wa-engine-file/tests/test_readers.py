"""Readers beside a writer: each call sees the last batch whole, and nothing is written [W1, W5]."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from file_bench.driver import abandon, open_store, take_step
from file_bench.script import Model, Step, write_script
from wa_core.errors import EngineConfigError, EngineUnavailableError, ReadOnlyError
from wa_core.storage import Batch, Put, open_engine
from wa_engine_file.disk import Disk
from wa_engine_file.reader import Watch

KEYS = [f"f/{number % 4}/{number}" for number in range(20)] + ["f/1", "f/2"]
ROUNDS = 150

READ_ALL = """
import asyncio, sys
from wa_core.storage import open_engine

async def main():
    keys = sys.argv[2].split()
    rounds = 0
    last = -1
    async with await open_engine(sys.argv[1], read_only=True) as reader:
        print("open", flush=True)
        while last < int(sys.argv[3]) - 1:
            found = await reader.get_many(keys)
            values = set(found.values())
            assert len(values) == 1 and len(found) == len(keys), (len(found), values)
            now = int(values.pop())
            assert now >= last, (now, last)
            last, rounds = now, rounds + 1
    print(rounds)

asyncio.run(main())
"""


def generation(number: int) -> Step:
    """Write all keys at once."""
    value = str(number).encode()
    return Step(tuple(Put(key, value) for key in KEYS))


def write_generations(base: str, first: int, last: int, *, segment_bytes: int) -> None:
    store = open_store(Disk(), base, synced=False, segment_bytes=segment_bytes)
    for number in range(first, last):
        take_step(store, generation(number))
    store.close()


def tree_of(base: Path) -> dict[str, tuple[int, int, bytes]]:
    """Take a picture of all files with their times."""
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes())
        for path in base.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("segment_bytes", [1, 4000, 10**6])
def test_a_reader_never_sees_half_a_batch_whatever_the_writer_does(
    quick_path: Path, segment_bytes: int
) -> None:
    base = str(quick_path)
    write_generations(base, 0, 1, segment_bytes=segment_bytes)
    seen = read_beside(base, lambda: rewrite_with_restarts(base, segment_bytes=segment_bytes))

    assert seen == sorted(seen)
    assert seen[-1] == ROUNDS - 1


def rewrite_with_restarts(base: str, *, segment_bytes: int) -> None:
    for first in range(1, ROUNDS, 40):
        write_generations(base, first, min(ROUNDS, first + 40), segment_bytes=segment_bytes)


def read_beside(base: str, write: Callable[[], None]) -> list[int]:
    """Read while a thread writes, and once more when it is done; return what was seen."""
    watch, seen = Watch(Disk(), base), []
    writer = threading.Thread(target=write)
    writer.start()
    alive = True
    while alive:
        alive = writer.is_alive()
        try:
            found = watch.read(KEYS)
        except EngineUnavailableError as exc:
            # Allowed while the writer turns over again and again, never when it rests.
            if not alive:
                raise AssertionError(str(exc)) from exc
            continue
        assert len(found) == len(KEYS)
        values = {entry.value for entry in found}
        assert len(values) == 1
        seen.append(int(values.pop()))
    writer.join()
    return seen


async def test_a_reader_in_another_process_sees_whole_batches_only(quick_path: Path) -> None:
    url = f"file:{quick_path}?durability=process"
    rounds = 200
    async with await open_engine(url) as engine:
        await engine.apply(batch_of(0))
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", READ_ALL, url, " ".join(KEYS), str(rounds)),
            stdout=asyncio.subprocess.PIPE,
        )
        assert child.stdout is not None
        assert await child.stdout.readline() == b"open\n"
        for number in range(1, rounds):
            await engine.apply(batch_of(number))
            await asyncio.sleep(0)
        async with asyncio.timeout(30):
            code = await child.wait()

    assert code == 0
    assert int(await child.stdout.read()) > 0


def batch_of(number: int) -> Batch:
    batch = Batch()
    for key in KEYS:
        batch.put(key, str(number))
    return batch


async def test_what_was_acknowledged_is_what_a_reader_reads_next(tmp_path: Path) -> None:
    script = write_script(31, 60)
    store = open_store(Disk(), str(tmp_path), synced=False, segment_bytes=1500)
    model = Model()
    async with await open_engine(f"file:{tmp_path}", read_only=True) as reader:
        for step in script:
            model.take(step)
            take_step(store, step)

            entries = {entry.key: (entry.value, entry.at) async for entry in reader.scan()}
            assert entries == model.state
            assert await reader.count() == len(model.state)
            ordered = sorted(model.state, key=lambda key: (-model.state[key][1], key.encode()))
            assert await reader.list(limit=None) == ordered
    store.close()


def test_a_reader_of_a_crashed_store_reads_right_and_writes_nothing(tmp_path: Path) -> None:
    model = Model()
    store = open_store(Disk(), str(tmp_path), synced=False, segment_bytes=1500)
    for step in write_script(32, 30):
        model.take(step)
        take_step(store, step)
    abandon(store)
    before = tree_of(tmp_path)

    watch = Watch(Disk(), str(tmp_path))
    found = watch.read(watch.contents.index.page())

    assert {entry.key: (entry.value, entry.at) for entry in found} == model.state
    assert tree_of(tmp_path) == before


async def test_a_reader_changes_nothing_on_the_disk(tmp_path: Path) -> None:
    async with await open_engine(f"file:{tmp_path}") as engine:
        await engine.set("session/creds", "v")
    before = tree_of(tmp_path)

    async with await open_engine(f"file:{tmp_path}", read_only=True) as reader:
        assert await reader.get("session/creds") == b"v"
        for write in (reader.set("k", "v"), reader.clear(), reader.acquire("me", 1)):
            with pytest.raises(ReadOnlyError):
                await write

    assert tree_of(tmp_path) == before


async def test_a_reader_of_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(EngineConfigError, match="no such folder"):
        await open_engine(f"file:{tmp_path / 'absent'}", read_only=True)

    assert os.listdir(tmp_path) == []


async def test_a_reader_follows_into_a_store_that_was_given_up(tmp_path: Path) -> None:
    async with await open_engine(f"file:{tmp_path}") as engine:
        await engine.set("k", "1")
    async with await open_engine(f"file:{tmp_path}", read_only=True) as reader:
        assert await reader.get("k") == b"1"
        for number in range(2, 6):
            async with await open_engine(f"file:{tmp_path}?adopt=1") as engine:
                await engine.set("k", str(number))
                assert await reader.get("k") == str(number).encode()
