"""Patience is counted in time awake: a machine that runs nobody must not convict an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from wa_conformance import wakeful as module
from wa_conformance.wakeful import awake, awake_for


async def in_time(call: Callable[[], Awaitable[object]]) -> None:
    async with awake_for(0.01):
        await call()


async def test_what_never_ends_is_ended() -> None:
    with pytest.raises(TimeoutError):
        async with awake_for(0.01) as limit:
            await asyncio.Event().wait()

    assert limit.expired()


async def test_what_ends_by_itself_is_left_alone() -> None:
    async with awake_for(60) as limit:
        await asyncio.sleep(0)

    assert not limit.expired()


async def test_without_a_limit_nothing_is_ended() -> None:
    async with awake_for(None) as limit:
        await asyncio.sleep(0)

    assert limit.when() is None


async def test_time_in_which_nobody_ran_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = [0.0]
    looks = asyncio.Queue[float]()

    def looked() -> float:
        looks.put_nowait(counted[0])
        return counted[0]

    monkeypatch.setattr(module, "awake", looked)

    async def stalled_then_awake() -> None:
        for _ in range(5):
            await looks.get()
        counted[0] = 1.0
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await in_time(stalled_then_awake)


async def test_an_event_loop_that_is_blocked_does_not_stop_the_clock() -> None:
    begun = awake()
    blocked = asyncio.to_thread(_until_it_moved, begun)

    assert await blocked > begun


def _until_it_moved(begun: float) -> float:
    while (now := awake()) <= begun + module.TICK_S:
        pass
    return now
