"""Locks that other processes hold on the file: waited for, outlasted, and never left behind."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from wa_core.errors import EngineUnavailableError
from wa_core.storage import Batch, open_engine


@contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """Hold the writer's lock, as another program would."""
    foreign = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    foreign.execute("BEGIN IMMEDIATE")
    try:
        yield foreign
    finally:
        foreign.close()


async def _messages(url: str, count: int) -> None:
    async with await open_engine(url) as engine, asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(engine.apply(Batch().put(f"chat/1/message/{number}", b"text")))


async def _outlast(path: Path, *, lock_s: float, timeout: float, messages: int) -> None:
    url = f"sqlite:{path}?timeout={timeout:g}"
    await _messages(url, 1)
    with locked(path) as foreign:
        release = threading.Timer(lock_s, foreign.rollback)
        release.start()
        began = time.monotonic()
        await _messages(url, messages)
        assert time.monotonic() - began > 0.9 * lock_s
        release.join()

    async with await open_engine(url) as engine:
        assert await engine.count("chat/1/message/") == messages


async def test_a_lock_that_ends_in_time_is_waited_for(tmp_path: Path) -> None:
    await _outlast(tmp_path / "wa.db", lock_s=0.5, timeout=10, messages=50)


@pytest.mark.once
async def test_a_lock_of_twenty_seconds_loses_none_of_five_hundred_messages(
    tmp_path: Path,
) -> None:
    await _outlast(tmp_path / "wa.db", lock_s=20, timeout=30, messages=500)


async def test_a_lock_that_stays_is_told_in_time_and_readers_do_not_mind(tmp_path: Path) -> None:
    async with await open_engine(f"sqlite:{tmp_path}/wa.db?timeout=0.3") as engine:
        await engine.set("k", b"1")
        with locked(tmp_path / "wa.db"):
            with pytest.raises(EngineUnavailableError):
                await engine.set("k", b"2")
            assert await engine.get("k") == b"1"

        await engine.set("k", b"3")
        assert await engine.get("k") == b"3"


async def test_a_write_that_was_cancelled_while_it_waited_never_lands(tmp_path: Path) -> None:
    async with await open_engine(f"sqlite:{tmp_path}/wa.db") as engine:
        await engine.set("k", b"1")
        with locked(tmp_path / "wa.db"):
            task = asyncio.ensure_future(engine.set("k", b"late"))
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.wait((task,))

        await engine.set("other", b"2")
        assert await engine.get("k") == b"1"


async def test_closing_leaves_the_file_to_others(tmp_path: Path) -> None:
    async with await open_engine(f"sqlite:{tmp_path}/wa.db") as engine:
        await engine.set("k", b"1")

    foreign = sqlite3.connect(tmp_path / "wa.db", isolation_level=None, timeout=0)
    foreign.execute("PRAGMA locking_mode = EXCLUSIVE")
    foreign.execute("BEGIN EXCLUSIVE")
    foreign.close()
