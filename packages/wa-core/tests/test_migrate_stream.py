"""Records on their way: read ahead, in batches, for as many writers as there are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest
from wa_core.migrate import stream
from wa_core.migrate.stream import BATCH_BYTES, BATCH_RECORDS, Chunk, Feed, ahead, chunked
from wa_core.storage import Entry


async def _pages(*sizes: int, value: bytes = b"v") -> AsyncGenerator[Sequence[Entry], None]:
    number = 0
    for size in sizes:
        yield [Entry(f"k/{number + n}", value, 1) for n in range(size)]
        number += size


async def test_pages_of_any_size_become_batches_of_a_bounded_number() -> None:
    sizes = [len(chunk) async for chunk in chunked(_pages(0, 1, 2 * BATCH_RECORDS, 7))]

    assert sizes == [BATCH_RECORDS, BATCH_RECORDS, 8]


async def test_large_values_make_small_batches() -> None:
    half = bytes(BATCH_BYTES // 2)

    assert [len(chunk) async for chunk in chunked(_pages(5, value=half))] == [2, 2, 1]


async def test_several_writers_get_each_batch_once_and_all_of_them_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream, "BATCH_RECORDS", 3)
    seen: list[Chunk] = []
    got: list[Chunk] = []

    async def write(chunks: Feed) -> None:
        async for chunk in chunks:
            await asyncio.sleep(0)
            got.append(chunk)

    async with ahead(_pages(10, 10), seen.append) as chunks, asyncio.TaskGroup() as writers:
        for _ in range(3):
            writers.create_task(write(chunks))

    assert sorted(entry.key for chunk in got for entry in chunk) == sorted(
        f"k/{number}" for number in range(20)
    )
    assert [entry.key for chunk in seen for entry in chunk] == [f"k/{n}" for n in range(20)]


async def test_a_writer_that_fails_ends_the_reading() -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncGenerator[Sequence[Entry], None]:
        try:
            while True:
                yield [Entry("k", b"v", 1)]
        finally:
            ended.set()

    async def write() -> None:
        async with ahead(endless(), lambda chunk: None) as chunks:
            await anext(aiter(chunks))
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        await write()

    assert ended.is_set()
