"""A signal that ends the process saves first, and still ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from state_bench.identities import some_creds
from wa_core.errors import EngineUnavailableError
from wa_core.state import BATCHED, AuthState, flush_on_signal
from wa_core.storage import open_engine
from wa_core.storage.layouts import CREDS

WORKER = """
import asyncio, sys
from dataclasses import replace
from wa_core.state import BATCHED, AuthState, flush_on_signal
from wa_core.storage import open_engine
async def main():
    async with await open_engine(sys.argv[1]) as engine:
        state = await AuthState.open(engine, policy=BATCHED)
        with flush_on_signal(state):
            await state.update_creds(lambda creds: replace(creds, platform="saved"))
            print("ready", flush=True)
            await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_a_process_told_to_end_saves_and_ends_by_the_signal(tmp_path: Path) -> None:
    url = f"file:{tmp_path}"
    async with await open_engine(url) as engine:
        await engine.set(CREDS, some_creds().to_bytes())

    with subprocess.Popen(
        [sys.executable, "-c", WORKER, url], stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        worker.terminate()
        ended = worker.wait(timeout=30)

    assert ended == -signal.SIGTERM
    async with await open_engine(url) as engine, await AuthState.open(engine) as state:
        assert state.creds.platform == "saved"


class Saved:
    """Counts how often it was saved; waits or fails if told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.times = 0
        self.may_end = asyncio.Event()
        self.may_end.set()
        self._error = error

    async def flush(self) -> None:
        await self.may_end.wait()
        self.times += 1
        if self._error is not None:
            raise self._error


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """Catch the signal as an application would, and tell what came."""
    numbers: list[int] = []
    former = signal.signal(signal.SIGTERM, lambda number, frame: numbers.append(number))
    yield numbers
    signal.signal(signal.SIGTERM, former)


async def until(heard: list[int], count: int) -> None:
    async with asyncio.timeout(10):
        while len(heard) < count:
            await asyncio.sleep(0)


async def test_the_former_handler_is_called_after_the_saving(heard: list[int]) -> None:
    state = Saved()
    state.may_end.clear()

    with flush_on_signal(state):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(10):
            await asyncio.sleep(0)
        assert heard == []
        state.may_end.set()
        await until(heard, 1)

    assert state.times == 1


async def test_a_second_signal_does_not_wait(heard: list[int]) -> None:
    state = Saved()
    state.may_end.clear()

    with flush_on_signal(state):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        await until(heard, 1)
        assert state.times == 0
        state.may_end.set()
        await until(heard, 2)


@pytest.mark.parametrize("error", [EngineUnavailableError("no answer"), ZeroDivisionError()])
async def test_a_state_that_cannot_be_saved_does_not_keep_the_others(
    error: Exception, heard: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = Saved(error), Saved()

    with flush_on_signal(broken, sound):
        os.kill(os.getpid(), signal.SIGTERM)
        await until(heard, 1)

    assert (broken.times, sound.times) == (1, 1)
    assert "credentials are not saved" in caplog.text


async def test_what_was_there_before_is_there_again(heard: list[int]) -> None:
    before = signal.getsignal(signal.SIGTERM)

    with flush_on_signal(Saved()):
        assert signal.getsignal(signal.SIGTERM) is not before

    assert signal.getsignal(signal.SIGTERM) is before


async def test_a_handler_of_the_loop_goes_on_beside_it() -> None:
    loop, called, state = asyncio.get_running_loop(), asyncio.Event(), Saved()
    loop.add_signal_handler(signal.SIGTERM, called.set)

    try:
        with flush_on_signal(state):
            os.kill(os.getpid(), signal.SIGTERM)
            async with asyncio.timeout(10):
                await called.wait()
                while not state.times:
                    await asyncio.sleep(0)
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


async def test_a_batched_state_is_saved_with_all_that_waits() -> None:
    async with await open_engine("memory:shutdown") as engine:
        state = await AuthState.open(engine, create=True, mint=some_creds, policy=BATCHED)
        await state.update_creds(lambda creds: replace(creds, platform="saved"))
        numbers: list[int] = []
        former = signal.signal(signal.SIGTERM, lambda number, frame: numbers.append(number))
        try:
            with flush_on_signal(state):
                os.kill(os.getpid(), signal.SIGTERM)
                await until(numbers, 1)
        finally:
            signal.signal(signal.SIGTERM, former)

        assert (await AuthState.open(engine)).creds.platform == "saved"
