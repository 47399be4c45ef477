"""A bad network [T5]: a random program through a line that drops, delays, resets and repeats.

A batch whose outcome is unknown is applied again until it is acknowledged; then the model knows
the state, whatever still lies on the line. After the last late byte is delivered, the state that a
clean connection reads must be the model's.
"""

from __future__ import annotations

import asyncio
import gc
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from wa_core.errors import EngineUnavailableError
from wa_core.storage import Engine

from wa_conformance.model import Model
from wa_conformance.trials.calls import SLACK_S, Caller
from wa_conformance.trials.door import Door
from wa_conformance.trials.plan import plan_of
from wa_conformance.trials.proxy import Proxy
from wa_conformance.trials.script import Move, Read, Write, script_of
from wa_conformance.trials.tally import Runs
from wa_conformance.violation import Violation, difference

TIMEOUT_S = 1.0
LANES = 4
"""How many programs run at the same time, each on its own session and line: they mostly wait."""
CLEAN_TIMEOUT_S = 10.0
"""The second client may have to wait until the server has let go of the first one's lock."""


async def try_network(
    door: Door, *, times: int, seed: int, only: int | None = None, timeout: float = TIMEOUT_S
) -> Counter[str]:
    """Run so many programs; return what was met, or raise a `Violation`."""
    runs = Runs("network", times=times, seed=seed, only=only)
    numbers = iter(runs.numbers)

    async def one_after_the_other() -> None:
        for number in numbers:
            with runs.run(number) as dice:
                session = f"conf-net-{secrets.token_hex(4)}"
                await _Run(door, session, dice, runs.tally, timeout).play()

    async with _quiet_loop():
        lanes = [asyncio.create_task(one_after_the_other()) for _ in range(LANES)]
        try:
            await asyncio.wait(lanes, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for lane in lanes:
                lane.cancel()
            ends = await asyncio.gather(*lanes, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end
    return runs.tally


@dataclass
class _Run:
    """One program on one session."""

    door: Door
    session: str
    dice: random.Random
    tally: Counter[str]
    timeout: float

    async def play(self) -> None:
        """Run the program, let the line run empty, and compare."""
        script = script_of(self.dice, length=self.dice.randint(3, 9))
        faults = plan_of(
            self.dice,
            steps=len(script) + 1,
            limit_s=self.timeout + SLACK_S,
            duplicates=self.door.duplicates,
        )
        model = Model()
        calls = Caller(timeout=self.timeout)
        clean = await self.door.open(self.session, timeout=CLEAN_TIMEOUT_S)
        async with clean:
            async with Proxy(*self.door.upstream) as proxy:
                engine: Engine | None = None
                try:
                    for number in range(len(script) + 1):
                        for fault in faults:
                            if fault.step == number:
                                proxy.arm(fault)
                        if engine is None:
                            engine = await self._opened(calls, proxy.port)
                        else:
                            await _Turn(calls, model, engine, clean).take(script[number - 1])
                finally:
                    # A close that could not say goodbye has let go all the same: see `drained`.
                    with suppress(EngineUnavailableError):
                        if engine is not None:
                            await calls.once("close", engine.close)
                drained = await proxy.drain()
            self.tally.update(proxy.met)
            self.tally.update(calls.tally)
            if not drained:
                raise Violation("X1", "the server still holds a connection whose client has gone")
            await expect_state(clean, model)
            await clean.clear()
        await self.door.forget(self.session)

    async def _opened(self, calls: Caller, port: int) -> Engine:
        def opening() -> Any:
            return self.door.open(self.session, timeout=self.timeout, port=port)

        engine: Engine = await calls.until_open(opening)
        return engine


@dataclass(frozen=True, slots=True)
class _Turn:
    """One move, on the engine behind the bad line or on the one beside it."""

    calls: Caller
    model: Model
    engine: Engine
    clean: Engine

    async def take(self, move: Move) -> None:
        """Make the move."""
        if isinstance(move, Write):
            await self._write(move)
        else:
            reads = [self._read(move) for _ in range(move.tasks)]
            for ended in await asyncio.gather(*reads, return_exceptions=True):
                if ended is not None:
                    raise ended

    async def _write(self, move: Write) -> None:
        clock, batch = time.time_ns() // 1_000, move.batch()
        if move.aside:
            await self.clean.apply(batch)
        else:
            if move.cancelled_after is not None:
                await self._cancelled(move, move.cancelled_after)
            await self.calls.until_answered("apply", lambda: self.engine.apply(batch))
        self.model.apply(move.steps, clock=clock)

    async def _cancelled(self, move: Write, seconds: float) -> None:
        call = self.calls.once("apply", lambda: self.engine.apply(move.batch()))
        attempt = asyncio.ensure_future(call)
        await asyncio.wait((attempt,), timeout=seconds)
        attempt.cancel()
        ended = await asyncio.gather(attempt, return_exceptions=True)
        if isinstance(ended[0], Violation):
            raise ended[0]

    async def _read(self, move: Read) -> None:
        keys = [key for key in move.keys if key in self.model.values]
        found = await self.calls.until_answered("get_many", lambda: self.engine.get_many(move.keys))
        _expect("get_many", found, {key: self.model.values[key] for key in keys})
        listed = await self.calls.until_answered("list", lambda: self.engine.list(move.prefix))
        _expect("list", listed, self.model.listed(move.prefix))


async def expect_state(engine: Engine, model: Model) -> None:
    """Demand that an engine reads what the model holds: keys, order, values, positions, counts."""
    _expect("list", await engine.list("", limit=None), model.listed())
    _expect("count", await engine.count(), len(model.values))
    places: dict[str, int] = {}
    values: dict[str, bytes] = {}
    async with aclosing(engine.scan()) as entries:
        async for entry in entries:
            places[entry.key], values[entry.key] = entry.at, entry.value
    _expect("scan", values, model.values)
    _expect("get_many", await engine.get_many(model.values), model.values)
    wrong = model.misplaced(places)
    if wrong is not None:
        raise Violation("O1", wrong)


def _expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise Violation("W3", f"{what} {difference(found, expected)}")


@asynccontextmanager
async def _quiet_loop() -> AsyncIterator[None]:
    """Demand that no run leaves an error unread in the event loop [X1]."""
    loop, heard = asyncio.get_running_loop(), list[str]()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: heard.append(f"{context}"))
    try:
        yield
        await asyncio.sleep(0)
        gc.collect()
        await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(before)
    if heard:
        raise Violation("X1", f"left in the event loop: {heard[0]}")
