"""A step of a generator: over at once, or awaited like any other call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from wa_core.storage.step import Step


async def test_what_is_there_already_is_not_waited_for() -> None:
    async def numbers() -> AsyncGenerator[int, None]:
        yield 1

    source = numbers()
    first = Step(source)
    end = Step(source)

    assert (first.is_done, first.entry) == (True, 1)
    assert (end.is_done, end.entry) == (True, None)


async def test_what_is_not_there_is_awaited_through_any_number_of_waits() -> None:
    async def slow() -> AsyncGenerator[str, None]:
        for _ in range(3):
            await asyncio.sleep(0)
        answer = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(answer.set_result, "late")
        yield await answer

    step = Step(slow())
    assert not step.is_done
    await step

    assert step.entry == "late"


async def test_an_error_of_the_generator_comes_out_at_once_or_later() -> None:
    async def fails(*, late: bool) -> AsyncGenerator[int, None]:
        if late:
            await asyncio.sleep(0)
        raise OSError("no")
        yield 1

    with pytest.raises(OSError, match="no"):
        Step(fails(late=False))
    step = Step(fails(late=True))
    with pytest.raises(OSError, match="no"):
        await step


async def test_a_timeout_reaches_into_the_generator_and_ends_it() -> None:
    seen: list[str] = []

    async def stuck() -> AsyncGenerator[int, None]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        yield 1

    source = stuck()
    step = Step(source)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await step

    assert seen == ["cancelled"]
    assert Step(source).entry is None
