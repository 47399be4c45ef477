"""A batch in one message: only in its turn, only under its lease, and with the same outcome."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from wa_core.errors import FencedError
from wa_core.storage import Batch, MemoryEngine, open_engine
from wa_engine_sql import SqlEngine, mysql_quick, postgres_quick
from wa_engine_sql.change import Change, change_of
from wa_engine_sql.mysql_text import wording_of
from wa_engine_sql.relay import Relay


class Ways:
    """Counts the batches that went in one message, and those that asked first."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at_once = self.asked = 0
        for module in (postgres_quick, mysql_quick):
            monkeypatch.setattr(module, "write", self._counted(module.write))

    def _counted(self, write: Any) -> Any:
        async def counted(*args: Any) -> bool:
            made: bool = await write(*args)
            self.at_once += made
            self.asked += not made
            return made

        return counted


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Ways:
    return Ways(monkeypatch)


@pytest.fixture(params=["database", "schema"], ids=["postgres", "mariadb"])
def place(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


async def test_who_writes_alone_asks_once(place: str, ways: Ways) -> None:
    async with await open_engine(place) as engine:
        for number in range(20):
            await engine.set(f"k/{number}", b"%d" % number)
        await engine.set("k/3", None)

        assert (ways.at_once, ways.asked) == (20, 1)
        assert await engine.list("k/", limit=3) == ["k/19", "k/18", "k/17"]
        assert await engine.count("k/") == 19


async def test_two_who_write_in_turns_miss_no_batch_of_each_other(place: str, ways: Ways) -> None:
    async with await open_engine(place) as one, await open_engine(f"{place}?timeout=9") as two:
        for number in range(60):
            writer, reader = (one, two) if number % 2 else (two, one)
            await writer.apply(Batch().delete("tree").put(f"tree/{number}/a", b"%d" % number))

            assert await reader.list("tree/") == [f"tree/{number}/a"]
        assert ways.asked > ways.at_once


async def test_a_batch_that_comes_late_changes_nothing(place: str) -> None:
    async with await open_engine(place) as engine:
        assert isinstance(engine, SqlEngine)
        await engine.set("k", b"first")
        dialect: Any = engine.place.dialect
        known = dialect._paces[b"default"]._turn
        await engine.set("k", b"newest")

        # What the network held back: the message of a writer that still had the turn.
        dialect._paces[b"default"].went(known)
        async with engine.place.writing() as line:
            late = await _send(dialect, line.driver, change_of(list(Batch().put("k", b"late"))))

        assert not late
        assert await engine.get("k") == b"newest"


async def _send(dialect: Any, driver: Any, change: Change) -> bool:
    pace = dialect._paces[b"default"]
    if dialect.name == "PostgreSQL":
        ident, leg = dialect._idents[b"default"], Relay().next()
        return await postgres_quick.write(driver, pace, ident, change, None, leg)
    return await mysql_quick.write(driver, wording_of(driver), pace, change, None)


async def test_a_lease_that_is_not_current_stops_it(place: str, ways: Ways) -> None:
    async with await open_engine(place) as engine:
        old = await engine.acquire("old", 60)
        await engine.apply(Batch().put("k", b"old"), fence=old)
        await engine.apply(Batch().put("k", b"older"), fence=old)
        await old.release()
        new = await engine.acquire("new", 60)

        with pytest.raises(FencedError):
            await engine.apply(Batch().put("k", b"late"), fence=old)
        await engine.apply(Batch().put("k2", b"new"), fence=new)

        assert ways.at_once == 1
        assert await engine.get_many(["k", "k2"]) == {"k": b"older", "k2": b"new"}


async def test_all_batches_end_as_in_memory(place: str, ways: Ways) -> None:
    dice = random.Random(20)
    names = ["a", "a/b", "a/b/c", "a/b/c/d/e/f/g", "b/_", "b/_x", "b", "é/ü"]
    model = MemoryEngine()
    async with await open_engine(place) as engine:
        for number in range(150):
            batch = Batch()
            for _ in range(dice.randint(1, 4)):
                if dice.random() < 0.3:
                    batch.delete(dice.choice(names))
                else:
                    at = dice.choice([None, None, dice.randint(0, 9)])
                    batch.put(dice.choice(names), b"%d" % number, at=at)
            await engine.apply(batch)
            await model.apply(batch)

            for prefix in ("", "a/", "a/b/", "a/b/c/d/e/"):
                assert await engine.list(prefix) == await model.list(prefix)
        found = {entry.key: entry.value async for entry in engine.scan()}
        assert found == {entry.key: entry.value async for entry in model.scan()}
        assert ways.at_once > 50


async def test_cancelled_batches_never_come_after_later_ones(place: str) -> None:
    dice = random.Random(21)
    async with await open_engine(place) as engine:
        for number in range(60):
            await engine.set("k", b"before %d" % number)
            call = asyncio.ensure_future(engine.set("k", b"cancelled"))
            await asyncio.sleep(dice.uniform(0, 0.003))
            call.cancel()
            await asyncio.wait([call])
            await engine.set("k", b"after %d" % number)

            assert await engine.get("k") == b"after %d" % number
