"""One writer, many tasks: order, groups, the lock and the end of it [W5, W6, X1, X2, L1, L3]."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from wa_core.errors import EngineBusyError, EngineClosedError, EngineUnavailableError, FencedError
from wa_core.storage import Batch, Engine, open_engine
from wa_engine_file.engine import FileEngine
from wa_engine_file.lock import WriterLock

LEVELS = pytest.mark.parametrize("level", ["", "?durability=process"], ids=["power", "process"])

HOLD_OPEN = """
import asyncio, sys
from wa_core.storage import open_engine

async def main():
    async with await open_engine(sys.argv[1]) as engine:
        await engine.set("from/child", "value")
        print("open", flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@LEVELS
async def test_a_thousand_saves_end_in_the_order_of_the_calls(tmp_path: Path, level: str) -> None:
    async with await open_engine(f"file:{tmp_path}{level}") as engine:
        saves = [engine.set("session/creds", str(number)) for number in range(1000)]
        await asyncio.gather(*saves)

        assert await engine.get("session/creds") == b"999"
    async with await open_engine(f"file:{tmp_path}{level}") as engine:
        assert await engine.get("session/creds") == b"999"


@LEVELS
async def test_reads_beside_writes_are_never_taken_for_damage(tmp_path: Path, level: str) -> None:
    async with await open_engine(f"file:{tmp_path}{level}") as engine:
        await engine.set("k", "0")

        async def read() -> None:
            low = -1
            for _ in range(150):
                found = int(await engine.get("k") or -1)
                assert found >= low
                low = found

        async def grow() -> None:
            for number in range(300):
                await engine.set("k", str(number).zfill(number % 7 + 3))
                assert await engine.get("k") is not None

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(grow())
            for _ in range(4):
                tasks.create_task(read())


@LEVELS
async def test_a_batch_with_a_stale_lease_fails_alone(tmp_path: Path, level: str) -> None:
    async with await open_engine(f"file:{tmp_path}{level}") as engine:
        stale = await engine.acquire("one", 60)
        await stale.release()
        current = await engine.acquire("two", 60)
        calls = [
            engine.apply(Batch().put(f"k/{number}", b"x"), fence=stale if number == 5 else current)
            for number in range(10)
        ]

        results = await asyncio.gather(*calls, return_exceptions=True)

        assert [type(result) for result in results if result] == [FencedError]
        assert isinstance(results[5], FencedError)
        assert await engine.count("k/") == 9


async def test_a_lease_epoch_is_never_given_twice_across_openings(tmp_path: Path) -> None:
    epochs = []

    for _ in range(3):
        async with await open_engine(f"file:{tmp_path}") as engine:
            for _ in range(2):
                async with await engine.acquire("somebody", 60) as lease:
                    epochs.append(lease.epoch)

    assert epochs == sorted(set(epochs))


async def test_a_second_writer_learns_who_is_first(tmp_path: Path) -> None:
    async with await open_engine(f"file:{tmp_path}"):
        with pytest.raises(EngineBusyError, match=f"pid {os.getpid()}"):
            await open_engine(f"file:{tmp_path}")

    async with await open_engine(f"file:{tmp_path}") as again:
        assert await again.count() == 0


async def test_the_lock_of_another_process_ends_with_it(tmp_path: Path) -> None:
    url = f"file:{tmp_path}"
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLD_OPEN, url), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert await child.stdout.readline() == b"open\n"

    with pytest.raises(EngineBusyError, match=f"pid {child.pid} "):
        await open_engine(url)
    child.send_signal(signal.SIGKILL)
    await child.wait()

    async with await open_engine(url) as engine:
        assert await engine.get("from/child") == b"value"


async def test_a_child_that_inherited_the_lock_does_not_keep_it(tmp_path: Path) -> None:
    lock = WriterLock(str(tmp_path))
    inherited = os.dup(lock._handle or -1)

    lock.release()

    WriterLock(str(tmp_path)).release()
    os.close(inherited)


def test_a_lock_that_cannot_say_whose_it_is_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "disk full")

    with monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="full"):
            WriterLock(str(tmp_path))

    WriterLock(str(tmp_path)).release()


@pytest.mark.parametrize("turns", range(12))
async def test_a_cancelled_open_gives_the_lock_back(tmp_path: Path, turns: int) -> None:
    opening = asyncio.ensure_future(open_engine(f"file:{tmp_path}"))
    for _ in range(turns):
        await asyncio.sleep(0)
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)

    engine = opening.result() if not opening.cancelled() else await opened(f"file:{tmp_path}")

    await engine.set("k", "v")
    await engine.close()


async def opened(url: str) -> Engine:
    """Open as soon as nobody else has it."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await open_engine(url)
            except EngineBusyError:
                await asyncio.to_thread(join_givers)


def join_givers() -> None:
    for thread in threading.enumerate():
        # One that is only about to start cannot be joined.
        if thread.name == "wa-file-give-back" and thread.is_alive():
            thread.join()


@LEVELS
async def test_a_cancelled_batch_is_whole_or_not_at_all(tmp_path: Path, level: str) -> None:
    async with await open_engine(f"file:{tmp_path}{level}") as engine:
        for turn in range(60):
            batch = Batch()
            for number in range(20):
                batch.put(f"f/{number % 5}/{number}", str(turn))
            call = asyncio.ensure_future(engine.apply(batch))
            for _ in range(turn % 6):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)

            found = await engine.get_many(f"f/{n % 5}/{n}" for n in range(20))
            assert len(set(found.values())) <= 1
            assert len(found) in (0, 20)
        await engine.set("last", "works")
        assert await engine.get("last") == b"works"


async def test_closing_on_a_disk_that_hangs_lets_go_once_it_is_back(tmp_path: Path) -> None:
    engine = await open_engine(f"file:{tmp_path}?timeout=0.2")
    assert isinstance(engine, FileEngine)
    gate = threading.Event()
    engine.occupy(gate)
    first = asyncio.ensure_future(engine.set("first", "1"))
    second = asyncio.ensure_future(engine.set("second", "2"))
    await asyncio.sleep(0)

    with pytest.raises(EngineUnavailableError):
        await engine.close()
    results = await asyncio.gather(first, second, return_exceptions=True)
    gate.set()

    assert all(isinstance(result, EngineUnavailableError) for result in results)
    again = await until_free(f"file:{tmp_path}")
    assert set(await again.list()) <= {"first", "second"}
    await again.close()


@pytest.mark.parametrize("turns", range(1, 5))
async def test_a_cancelled_close_lets_go_all_the_same(tmp_path: Path, turns: int) -> None:
    engine = await open_engine(f"file:{tmp_path}")
    saving = asyncio.ensure_future(engine.set("k", "v"))
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(engine.close())
    for _ in range(turns):
        await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, saving, return_exceptions=True)

    again = await until_free(f"file:{tmp_path}")

    assert await again.list() in ([], ["k"])
    await again.close()


async def until_free(url: str) -> Engine:
    """Open once the old engine's thread has let go."""
    for thread in threading.enumerate():
        if thread.name == "wa-file":
            await asyncio.to_thread(thread.join, 10)
    return await open_engine(url)


async def test_a_closed_engine_says_so(tmp_path: Path) -> None:
    engine = await open_engine(f"file:{tmp_path}")
    await engine.close()
    await engine.close()

    with pytest.raises(EngineClosedError):
        await engine.get("k")
