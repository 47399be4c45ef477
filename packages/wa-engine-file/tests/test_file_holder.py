"""Who writes a folder is told from beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from wa_core.errors import UnsupportedError
from wa_core.storage import open_engine


async def test_a_reader_names_the_process_that_writes_and_lets_it_write(tmp_path: Path) -> None:
    url = f"file:{tmp_path}/s"
    async with await open_engine(url) as writer:
        await writer.set("chat/1", b"x")
        async with await open_engine(url, read_only=True) as reader:
            during = await reader.holder()
            await writer.set("chat/1", b"y")
    async with await open_engine(url, read_only=True) as reader:
        after = await reader.holder()

    assert during is not None
    assert during.name.startswith(f"pid {os.getpid()} on ")
    assert after is None


async def test_a_lock_of_another_machine_is_not_to_be_known(tmp_path: Path) -> None:
    url = f"file:{tmp_path}/s"
    async with await open_engine(url) as writer:
        await writer.set("chat/1", b"x")
    (tmp_path / "s" / ".wa" / "lock").write_text("pid 1 on elsewhere.example\n")

    async with await open_engine(url, read_only=True) as reader:
        with pytest.raises(UnsupportedError, match="who holds"):
            await reader.holder()


async def test_the_writer_itself_tells_of_its_own_leases(tmp_path: Path) -> None:
    async with await open_engine(f"file:{tmp_path}/s") as writer:
        async with await writer.acquire("worker 7", 60.0):
            held = await writer.holder()

        assert held is not None
        assert held.name == "worker 7"
        assert await writer.holder() is None
