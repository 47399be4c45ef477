from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from wa_conformance.zoo.log import folder_of
from wa_conformance.zoo.persistent import LogSpecimen, OneWriter
from wa_conformance.zoo.trial import opened_zoo
from wa_core.errors import CorruptRecordError, EngineBusyError, FencedError, StoreVersionError
from wa_core.storage import Batch


@pytest.fixture(autouse=True)
def stores_in_a_folder_of_their_own() -> Iterator[None]:
    with opened_zoo():
        yield


async def test_a_batch_is_there_after_the_log_is_opened_again() -> None:
    async with LogSpecimen("s") as engine:
        await engine.apply(Batch().put("a", b"1").put("a/b", b"", at=7).put("c", b"3").delete("c"))

    async with LogSpecimen("s") as again:
        assert await again.get_many(["a", "a/b", "c"]) == {"a": b"1", "a/b": b""}
        assert await again.list() == ["a", "a/b"]


async def test_a_second_object_reads_what_the_first_one_wrote() -> None:
    async with LogSpecimen("s") as engine, LogSpecimen("s") as other:
        await engine.set("a", b"1")
        await other.set("b", b"2")

        assert await engine.list() == ["b", "a"]
        assert await other.get("a") == b"1"


async def test_another_process_reads_what_this_one_wrote() -> None:
    program = (
        "import asyncio\n"
        "from wa_conformance.zoo.persistent import LogSpecimen\n"
        "async def main():\n"
        "    async with LogSpecimen('s') as engine:\n"
        "        print(await engine.get('a'))\n"
        "        await engine.set('b', b'2')\n"
        "asyncio.run(main())\n"
    )
    async with LogSpecimen("s") as engine:
        await engine.set("a", b"1")

        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )

        assert done.stdout.strip() == "b'1'"
        assert await engine.get("b") == b"2"


async def test_an_unfinished_record_at_the_end_is_cut_off() -> None:
    async with LogSpecimen("s") as engine:
        await engine.set("a", b"1")
        os.pwrite(engine.log.file, b"rec:\xff\x00\x00\x00", engine.log.end)

        await engine.set("b", b"2")

    async with LogSpecimen("s") as again:
        assert await again.list() == ["b", "a"]


async def test_a_damaged_record_is_told_from_an_absent_one() -> None:
    async with LogSpecimen("s") as engine:
        await engine.set("a", b"")
        engine.damage("a")

        with pytest.raises(CorruptRecordError):
            await engine.get("a")
        assert await engine.get("b") is None


async def test_a_lease_outlives_its_engine() -> None:
    async with LogSpecimen("s") as engine:
        first = await engine.acquire("me", 60)
        await first.release()
        second = await engine.acquire("me", 60)

    async with LogSpecimen("s") as again:
        assert (first.epoch, second.epoch) == (1, 2)
        with pytest.raises(FencedError):
            await again.apply(Batch().put("a", b""), fence=first)
        await again.apply(Batch().put("a", b""), fence=second)


async def test_a_newer_store_is_refused() -> None:
    async with LogSpecimen("s") as engine:
        engine.pretend_newer()

    with pytest.raises(StoreVersionError):
        LogSpecimen("s")


async def test_one_writer_turns_the_second_away_and_lets_readers_in() -> None:
    async with OneWriter("s") as engine, OneWriter("s", read_only=True) as reader:
        with pytest.raises(EngineBusyError) as refused:
            OneWriter("s")
        await engine.set("a", b"1")

        assert refused.value.holder == f"process {os.getpid()}"
        assert await reader.get("a") == b"1"


async def test_the_folder_of_a_session_is_none_of_its_neighbours() -> None:
    names = ["a/b", "a_b", "..", "*", "a" * 300]

    assert len({folder_of("x", name) for name in names}) == len(names)
