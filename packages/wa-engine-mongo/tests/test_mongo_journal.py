"""The journal of a standalone server: committed is done, whoever has to do it, and done once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo.errors import AutoReconnect
from wa_core.errors import EngineUnavailableError
from wa_core.storage import Batch, open_engine
from wa_engine_mongo.engine import MongoEngine
from wa_engine_mongo.place import JOURNAL, RECORDS

LARGE = bytes(range(256)) * 4096 * 7
"""7 MiB: a few of them are more than any document holds."""


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[MongoEngine]:
    async with await open_engine(url) as engine:
        assert isinstance(engine, MongoEngine)
        yield engine


async def die_after_commit(engine: MongoEngine, batch: Batch) -> None:
    """Commit a batch and do nothing about it, as a process that is killed right then."""

    async def dead(*_: object) -> bool:
        raise AutoReconnect("killed")

    engine._journal._done = dead  # type: ignore[method-assign, assignment]
    with pytest.raises(EngineUnavailableError):
        await engine.apply(batch)


@pytest.mark.parametrize("size", [1, 3_000_000], ids=["in-the-head", "in-parts"])
async def test_a_batch_whose_writer_died_is_carried_out_by_the_next_reader(
    alone: str, size: int
) -> None:
    async with opened(alone) as writer, opened(alone) as reader:
        await writer.apply(Batch().put("a", b"old").put("a/1", b"old").put("b", b"old"))
        assert await reader.get("a") == b"old"

        await die_after_commit(writer, Batch().delete("a").put("b", b"n" * size).put("c", b"$new"))

        assert await reader.get_many(["a", "a/1", "b", "c"]) == {"b": b"n" * size, "c": b"$new"}
        assert await reader.list() == ["c", "b"]
        assert await reader.place.rows({"find": JOURNAL}) == []


async def test_a_writer_carries_out_what_another_left_before_its_own(alone: str) -> None:
    async with opened(alone) as dead, opened(alone) as writer:
        await die_after_commit(dead, Batch().put("a", b"1").put("b", b"1"))

        await writer.apply(Batch().put("b", b"2"))

        assert await writer.get_many(["a", "b"]) == {"a": b"1", "b": b"2"}
        assert await writer.list() == ["b", "a"]


async def test_a_large_batch_is_carried_out_however_long_ago_its_writer_died(alone: str) -> None:
    async with opened(alone) as dead:
        await dead.set("a", b"1")
        await die_after_commit(dead, Batch().put("a", b"2").put("b", b"n" * 3_000_000))
        await dead.place.database[JOURNAL].update_many(
            {}, {"$set": {"born": datetime(2020, 1, 1, tzinfo=UTC)}}
        )

    async with opened(alone) as writer:
        await writer.set("c", b"3")

        assert await writer.get("a") == b"2"
        assert await writer.list() == ["c", "b", "a"]


async def test_requests_that_arrive_again_late_change_nothing(alone: str) -> None:
    async with opened(alone) as engine:
        await engine.apply(Batch().put("a/1", b"1").put("b", b"1"))
        sent: list[Any] = []
        ask = engine.place.ask

        async def recording(command: Any, **session: Any) -> Any:
            sent.append(command)
            return await ask(command, **session)

        engine.place.ask = recording  # type: ignore[method-assign]
        await engine.apply(Batch().delete("a").put("b", b"2").put("c", b"2"))
        engine.place.ask = ask  # type: ignore[method-assign]
        assert len(sent) == 4
        await engine.apply(Batch().put("a/1", b"3").put("b", b"3").delete("c"))
        before = await engine.place.rows({"find": RECORDS, "sort": {"_id": 1}})

        for command in sent:
            await ask(command)

        assert await engine.place.rows({"find": RECORDS, "sort": {"_id": 1}}) == before


async def test_while_a_batch_is_carried_out_nobody_sees_half_of_it(alone: str) -> None:
    async with opened(alone) as writer, opened(alone) as reader:
        keys = [f"k/{number}" for number in range(300)]
        await writer.apply(batch_of(keys, b"0"))

        async def look() -> set[bytes]:
            found = await reader.get_many(keys)
            assert len(found) == len(keys)
            return set(found.values())

        for turn in (b"1", b"2", b"3", b"4"):
            writing = asyncio.create_task(writer.apply(batch_of(keys, turn)))
            while not writing.done():
                assert len(await look()) == 1
            await writing
            assert await look() == {turn}


def batch_of(keys: list[str], value: bytes) -> Batch:
    batch = Batch().delete("k")
    for key in keys:
        batch.put(key, value)
    return batch


async def test_a_batch_that_is_larger_than_any_document_is_one_step(place: str) -> None:
    joint = "&" if "?" in place else "?"
    async with opened(f"{place}{joint}timeout=60") as engine:
        batch = Batch().put("gone", b"1").delete("gone")
        for number in range(9):
            batch.put(f"large/{number}", LARGE)

        await engine.apply(batch)

        assert await engine.count("large/") == 9
        assert await engine.get("large/8") == LARGE
        assert [entry.value == LARGE async for entry in engine.scan("large/")] == [True] * 9


async def test_a_replica_set_carries_out_what_it_was_left_as_a_single_server(
    replicated: str,
) -> None:
    async with opened(replicated) as engine:
        await engine.set("a", b"1")
        engine.place.transactions = False
        engine._journal._known = None
        await die_after_commit(engine, Batch().put("a", b"2").put("b", b"2"))

    async with opened(replicated) as engine:
        await engine.set("c", b"3")

        assert await engine.get_many(["a", "b", "c"]) == {"a": b"2", "b": b"2", "c": b"3"}
