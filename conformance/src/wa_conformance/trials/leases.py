"""The fight for one lease [T6]: eight processes, one of them stopped beyond its ttl.

Each holder writes records that name its epoch. Who holds is stopped in the middle (SIGSTOP) until
another has taken over and written, and then woken up. What the store holds afterwards, in the order
of its positions, must be one epoch after the other, and the sleeper must have written nothing.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from wa_core.errors import EngineUnavailableError
from wa_core.storage import Engine

from wa_conformance.processes import Child, ChildError, started
from wa_conformance.target import Target, TargetError
from wa_conformance.trials.chronicle import Chronicle
from wa_conformance.trials.fighter import LOG
from wa_conformance.trials.tally import Runs
from wa_conformance.violation import Violation

FIGHTERS = 8
TTL_S = 0.4
SLOWER = 4
"""How often the ttl is doubled on a machine so slow that nobody gets to write before it ends."""
MOMENT_S = 0.01
BLOCKED_S = 8.0
"""How long a stopped process may keep all others out: one that is stopped inside a transaction
holds the lock of a SQLite file. A round in which nobody could take over is counted as blocked."""
LAG_S = 20.0
START_S = 60.0
TAKEN_OVER_AFTER = 3
"""The writes under the new epoch after which the sleeper is woken."""


async def try_leases(
    target: Target,
    *,
    times: int,
    seed: int,
    only: int | None = None,
    fighters: int = FIGHTERS,
    ttl: float = TTL_S,
    blocked_s: float = BLOCKED_S,
) -> Counter[str]:
    """Fight so many rounds; return what was met, or raise a `Violation`."""
    runs = Runs("leases", times=times, seed=seed, only=only)
    session = f"conf-fight-{secrets.token_hex(4)}"
    engine = await target.open(session)
    async with engine:
        if not engine.capabilities.shared:
            raise TargetError(f"{target.shown}: one writer at a time, so there is no fight")
        async with _arena(target, session, fighters=fighters, ttl=ttl, seed=seed) as arena:
            for number in runs.numbers:
                with runs.run(number) as dice:
                    await _Round(arena, engine, dice, runs.tally, blocked_s).play()
        await engine.clear()
    return runs.tally


class Arena:
    """The fighters, and the chronicle of all that they say."""

    def __init__(self, mother: Child, *, size: int, ttl: float) -> None:
        self.size = size
        self.ttl = ttl
        self.chronicle = Chronicle()
        self._mother = mother
        self._pids: dict[str, int] = {}
        self._ready = 0
        self._changed = asyncio.Condition()
        self._broken: Exception | None = None

    async def listen(self) -> None:
        """Write down what the fighters say; what cannot be true ends the fight."""
        while self._broken is None:
            try:
                self._note(await self._mother.line(patience_s=None))
            except Exception as exc:
                self._broken = exc
            async with self._changed:
                self._changed.notify_all()

    def _note(self, words: list[str]) -> None:
        match words:
            case [name, "pid", number]:
                self._pids[name] = int(number)
            case [_, "ready"]:
                self._ready += 1
            case [name, *rest]:
                self.chronicle.note(name, rest)

    @property
    def complete(self) -> bool:
        """Whether every fighter has opened the session."""
        return self._ready == self.size

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until what was said fulfils a condition."""
        try:
            async with self._changed, asyncio.timeout(seconds):
                await self._changed.wait_for(lambda: self._broken is not None or condition())
        except TimeoutError:
            return False
        if self._broken is not None:
            raise self._broken
        return True

    def tell_all(self, word: str) -> None:
        """Tell every fighter something."""
        self._mother.tell(word)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send one fighter a signal."""
        os.kill(self._pids[name], number)

    def kill(self) -> None:
        """End every fighter."""
        for pid in self._pids.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@asynccontextmanager
async def _arena(
    target: Target, session: str, *, fighters: int, ttl: float, seed: int
) -> AsyncIterator[Arena]:
    words = (target.text, session, str(seed), str(fighters))
    async with started(*words, module="wa_conformance.trials.fighter") as mother:
        arena = Arena(mother, size=fighters, ttl=ttl)
        listener = asyncio.create_task(arena.listen())
        try:
            if not await arena.until(lambda: arena.complete, START_S):
                raise ChildError(f"the fighters did not open the session within {START_S:g} s")
            yield arena
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)
            arena.kill()


@dataclass(frozen=True, slots=True)
class _Round:
    """One round: fight, stop who holds, let another take over, wake the sleeper, look."""

    arena: Arena
    engine: Engine
    dice: random.Random
    tally: Counter[str]
    blocked_s: float

    @property
    def book(self) -> Chronicle:
        """What the fighters have said in this round."""
        return self.arena.chronicle

    async def play(self) -> None:
        """Fight one round, and demand what must be true after it."""
        self.book.begin()
        try:
            await self._begin_fight()
            await self._stop_and_wake()
        finally:
            self.arena.tell_all("rest")
        await self._expect(lambda: self.book.resting == self.arena.size, "comes to rest")
        self.book.judge(await self._log())
        self.tally["writes"] += self.book.writes
        self.tally["epochs"] += len(self.book.won)
        await self.engine.set(LOG, None)

    async def _begin_fight(self) -> None:
        acks = self.dice.randint(1, 5)
        for _ in range(SLOWER):
            self.arena.tell_all(f"fight {self.arena.ttl}")
            patience_s = 2 + 5 * self.arena.ttl
            if await self.arena.until(lambda: self.book.acks_of_holder() >= acks, patience_s):
                return
            self.arena.ttl *= 2
        await self._expect(lambda: self.book.acks_of_holder() >= acks, "writes under a lease")

    async def _stop_and_wake(self) -> None:
        await asyncio.sleep(self.dice.uniform(0, MOMENT_S))
        sleeper = self.book.holder()
        if sleeper is None:
            self.tally["nobody held"] += 1
            return
        self.arena.signal(sleeper, signal.SIGSTOP)
        try:
            # What it had said before it was stopped is still on its way to us.
            await asyncio.sleep(MOMENT_S)
            epoch = self.book.held_by(sleeper)
            if epoch is None:
                self.tally["nobody held"] += 1
                return
            taken = await self.arena.until(
                lambda: self.book.acks_after(epoch) >= TAKEN_OVER_AFTER,
                self.blocked_s + self.arena.ttl,
            )
            before = await self._written(epoch) if taken else set[int]()
        finally:
            self.arena.signal(sleeper, signal.SIGCONT)
        if not taken:
            self.tally["blocked"] += 1
            return
        await self._expect(lambda: self.book.let_go(epoch), "tells the sleeper that it is late")
        self._expect_nothing_new(epoch, before, await self._written(epoch))

    def _expect_nothing_new(self, epoch: int, before: set[int], after: set[int]) -> None:
        self.tally["woken"] += 1
        told = {number for number in self.book.acked.get(epoch, ()) if number not in before}
        if after != before or told:
            late = sorted((after - before) | told)
            message = f"a process that was stopped in epoch {epoch} wrote {late} after it woke up"
            raise Violation("L3", message)

    async def _written(self, epoch: int) -> set[int]:
        keys = await self._answered(lambda: self.engine.list(f"{LOG}/{epoch}/", limit=None))
        return {int(key.rpartition("/")[2]) for key in keys}

    async def _log(self) -> list[tuple[int, str]]:
        async with aclosing(self.engine.scan(f"{LOG}/")) as entries:
            return [(entry.at, entry.key) async for entry in entries]

    async def _answered(self, call: Callable[[], Any]) -> list[str]:
        gives_up = time.monotonic() + LAG_S
        while True:
            try:
                found: list[str] = await call()
                return found
            except EngineUnavailableError:
                if time.monotonic() > gives_up:
                    raise

    async def _expect(self, condition: Callable[[], bool], what: str) -> None:
        if not await self.arena.until(condition, LAG_S):
            said = self.book.last_words()
            raise Violation("L2", f"within {LAG_S:g} s nobody {what}; last words: {said}")
