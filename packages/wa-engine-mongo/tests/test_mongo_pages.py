"""Pages and counts come from one stretch of one index [O6]."""

from __future__ import annotations

from typing import Any

import pytest
from wa_core.storage import Batch, open_engine
from wa_engine_mongo import reading
from wa_engine_mongo.engine import MongoEngine


@pytest.mark.parametrize("prefix", ["", "chat/", "chat/1/"])
async def test_a_page_of_a_folder_reads_no_document_and_sorts_nothing(
    place: str, prefix: str
) -> None:
    async with await open_engine(place) as engine:
        assert isinstance(engine, MongoEngine)
        batch = Batch()
        for number in range(300):
            batch.put(f"chat/{number % 3}/{number}", b"x")
        await engine.apply(batch)
        command = reading.page(engine.keys, prefix, 20, 10)

        plan = await explained(engine, command)

        assert "SORT" not in str(plan["queryPlanner"]["winningPlan"])
        assert plan["executionStats"]["totalDocsExamined"] == 0
        assert plan["executionStats"]["totalKeysExamined"] <= 31


async def test_a_count_reads_the_index_that_its_prefix_spans(place: str) -> None:
    async with await open_engine(place) as engine:
        assert isinstance(engine, MongoEngine)
        batch = Batch()
        for number in range(300):
            batch.put(f"chat/{number % 3}/{number}", b"x")
        await engine.apply(batch)

        plan = str(await explained(engine, reading.count(engine.keys, "chat/1/")))

        assert "COUNT_SCAN" in plan
        assert "'totalDocsExamined': 0" in plan
        assert "'totalKeysExamined': 101" in plan


async def test_a_delete_reads_what_it_removes(place: str) -> None:
    async with await open_engine(place) as engine:
        assert isinstance(engine, MongoEngine)
        batch = Batch()
        for number in range(300):
            batch.put(f"chat/{number}", b"x")
        await engine.apply(batch)
        tree = {"find": "wa_records", "filter": {"_id": engine.keys.below("chat/7")}}

        plan = await explained(engine, tree)

        assert plan["executionStats"]["totalKeysExamined"] <= 1


async def explained(engine: MongoEngine, command: dict[str, Any]) -> dict[str, Any]:
    return await engine.place.ask({"explain": command, "verbosity": "executionStats"})
