"""Writes in their order, the next of which may be under way before the one ahead has ended."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from wa_core.storage import Batch, open_engine
from wa_engine_sql import postgres_quick
from wa_engine_sql.relay import Leg, Relay

KEYS = 3


class Race:
    """Legs of one relay, each of which says when it begins and ends when it is told to."""

    def __init__(self) -> None:
        self.relay = Relay()
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self, name: str, course: Callable[[Leg], Awaitable[None]]) -> None:
        """Start one more, and let all get as far as they come."""
        self.ends[name] = asyncio.Event()

        async def leg() -> None:
            async with self.relay.next() as mine:
                self.begun.append(name)
                await course(mine)
                await self.ends[name].wait()
            self.ended.append(name)

        self.tasks[name] = asyncio.create_task(leg())
        await _all_that_can()

    async def end(self, name: str) -> None:
        self.ends[name].set()
        await _all_that_can()


async def _all_that_can() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def keep(leg: Leg) -> None:
    """Let nobody in."""


async def pass_on(leg: Leg) -> None:
    leg.pass_on(7)


async def alone(leg: Leg) -> None:
    await leg.alone()


async def test_who_passes_nothing_on_is_alone() -> None:
    race = Race()

    for name in "abc":
        await race.run(name, keep)
    assert race.begun == ["a"]
    await race.end("a")

    assert race.begun == ["a", "b"]


async def test_who_passes_on_lets_one_in_and_another_when_it_ends() -> None:
    race = Race()

    for name in "abcd":
        await race.run(name, pass_on)
    assert race.begun == ["a", "b"]
    await race.end("a")

    assert race.begun == ["a", "b", "c"]


async def test_who_has_to_be_alone_waits_and_lets_nobody_in_meanwhile() -> None:
    race = Race()
    waited: list[str] = []

    async def changes_its_mind(leg: Leg) -> None:
        leg.pass_on(7)
        await leg.alone()
        waited.append("b")

    await race.run("a", pass_on)
    await race.run("b", changes_its_mind)
    await race.run("c", keep)
    assert (race.begun, waited) == (["a", "b"], [])
    await race.end("a")

    assert (race.begun, waited) == (["a", "b"], ["b"])
    await race.end("b")
    assert race.begun == ["a", "b", "c"]


async def test_the_mark_to_follow_is_that_of_the_leg_right_ahead() -> None:
    race = Race()
    answers: list[bool] = []

    async def ask(leg: Leg) -> None:
        answers.extend([leg.follows(7), leg.follows(8), leg.follows(None)])

    await race.run("a", ask)
    await race.end("a")
    await race.run("b", pass_on)
    await race.run("c", ask)

    assert answers == [False, False, False, True, False, False]


@pytest.mark.parametrize("who", ["a", "b", "c"])
async def test_a_leg_that_is_cancelled_holds_nobody_up(who: str) -> None:
    race = Race()
    for name in "ab":
        await race.run(name, pass_on)
    await race.run("c", alone)
    await race.run("d", alone)

    race.tasks[who].cancel()
    await asyncio.wait([race.tasks[who]])
    for name in "abcd":
        await race.end(name)

    assert race.ended == [name for name in "abcd" if name != who]


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """Collect the marks of those batches that were sent before the one ahead was answered."""
    found: list[int | None] = []
    follows = Leg.follows

    def told(self: Leg, mark: int | None) -> bool:
        if follows(self, mark):
            found.append(mark)
        return follows(self, mark)

    monkeypatch.setattr(Leg, "follows", told)
    # Small batches, so that the test is quick; their number makes no other difference.
    monkeypatch.setattr(postgres_quick, "MANY", KEYS)
    return found


def _large(text: str) -> Batch:
    batch = Batch()
    for number in range(KEYS):
        batch.put(f"k/{number}", text)
    return batch


async def test_batches_that_wait_in_the_server_keep_their_order(
    database: str, waiting: list[int | None]
) -> None:
    async with await open_engine(database) as engine:
        for turn in range(10):
            texts = [f"{turn}.{number}" for number in range(8)]
            await asyncio.gather(*(engine.apply(_large(text)) for text in texts))

            found = await engine.get_many(f"k/{number}" for number in range(KEYS))
            assert set(found.values()) == {texts[-1].encode()}
            assert await engine.list("k/") == [f"k/{n}" for n in reversed(range(KEYS))]
    assert waiting


async def test_a_delete_sees_what_was_sent_right_before_it(
    database: str, waiting: list[int | None]
) -> None:
    async with await open_engine(database) as engine:
        for _ in range(10):
            calls = [engine.apply(_large("1")), engine.apply(_large("2")), engine.set("k", None)]
            await asyncio.gather(*calls)

            assert await engine.count() == 0
    assert waiting


async def test_they_keep_their_order_beside_another_writer(
    database: str, waiting: list[int | None]
) -> None:
    dice = random.Random(4)
    async with (
        await open_engine(database) as one,
        await open_engine(f"{database}?timeout=9") as two,
    ):
        for turn in range(25):
            between = asyncio.ensure_future(two.set("other", b"%d" % turn))
            texts = [f"{turn}.{number}" for number in range(4)]
            calls = [asyncio.ensure_future(one.apply(_large(text))) for text in texts]
            if dice.random() < 0.3:
                dice.choice(calls[:-1]).cancel()
            await asyncio.wait([between, *calls])
            await calls[-1]

            found = await two.get_many([*(f"k/{number}" for number in range(KEYS)), "other"])
            assert found.pop("other") == b"%d" % turn
            assert set(found.values()) == {texts[-1].encode()}


async def test_a_lost_lease_stops_all_that_wait(database: str, waiting: list[int | None]) -> None:
    async with await open_engine(database) as engine:
        lease = await engine.acquire("old", 60)
        await engine.apply(_large("before"), fence=lease)
        await lease.release()
        calls: list[Any] = [engine.apply(_large(f"{n}"), fence=lease) for n in range(5)]

        ends = await asyncio.gather(*calls, return_exceptions=True)

        assert [type(end).__name__ for end in ends] == ["FencedError"] * 5
        found = await engine.get_many(f"k/{number}" for number in range(KEYS))
        assert set(found.values()) == {b"before"}


async def test_who_is_cut_off_leaves_the_one_ahead_to_be_waited_for() -> None:
    race = Race()
    await race.run("a", pass_on)
    await race.run("b", keep)
    race.tasks["b"].cancel()
    await _all_that_can()

    await race.run("c", alone)
    await race.end("c")
    assert race.begun == ["a", "b", "c"]
    assert race.ended == []

    await race.end("a")
    await asyncio.gather(race.tasks["a"], race.tasks["c"])
    assert race.ended == ["a", "c"]
    assert race.relay.last is None
