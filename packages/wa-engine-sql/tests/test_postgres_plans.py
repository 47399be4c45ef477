"""What PostgreSQL reads for a page, however old its statistics are."""

from __future__ import annotations

import asyncpg
import pytest
from wa_core.storage import Batch, open_engine

FEW, MANY, PAGE = 1, 2_000, 20
_READ = """
SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_user_indexes WHERE relname = 'wa_records'"""


async def write(url: str, number: int) -> None:
    """Write some messages of two chats, the newest all of one."""
    async with await open_engine(url) as engine:
        batch = Batch()
        for at in range(number):
            batch.put(f"chat/{2 * at // number}/message/{at}", b"m")
        await engine.apply(batch)


async def tuples_read(database: str) -> int:
    """Count the entries that all indexes of the records have returned so far."""
    onlooker = await asyncpg.connect(database)
    try:
        return int(await onlooker.fetchval(_READ))
    finally:
        await onlooker.close()


@pytest.mark.parametrize("prefix", ["", "chat/", "chat/0/message/"])
async def test_a_page_reads_no_more_than_it_shows_though_the_planner_knows_one_record(
    database: str, prefix: str
) -> None:
    await write(database, FEW)
    onlooker = await asyncpg.connect(database)
    await onlooker.execute("ANALYZE")
    await onlooker.close()
    await write(database, MANY)
    before = await tuples_read(database)

    async with await open_engine(database) as engine:
        found = await engine.list(prefix, limit=PAGE)

    assert len(found) == PAGE
    assert 0 < await tuples_read(database) - before < 3 * PAGE
