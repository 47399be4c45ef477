"""One pair of stores: a session that moves from one to the other is killed again and again.

In each round a new session is moved by a run that is killed, by a second one that finds what the
first has left and is killed, too, and by a third that ends. In some rounds the second and the third
give the move up instead. The moments are drawn from how an undisturbed run of the pair went, each
step and each pause between two steps as often as any other.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from migrate_bench.killing import KILLED, Kill, Nursery, Ran
from migrate_bench.places import Places
from migrate_bench.sample import Held, fill, held, is_bare, opens, positioned, wake
from migrate_bench.small import marker

TRIES = 5
"""How often what may come too late, or starve, is tried."""

ABANDONED = 0.25
"""How many of the moves that are not decided are given up."""


@dataclass(frozen=True, slots=True)
class Session:
    """One that moves, and all that is known of it."""

    source: str
    target: str
    records: dict[str, bytes]
    before: Held

    async def sides_that_open(self) -> list[str]:
        """Name the stores that would open now."""
        return [url for url in (self.source, self.target) if await opens(url)]

    async def check_stayed(self) -> None:
        """Raise unless all is as if nobody had ever begun to move it."""
        assert await held(self.source) == self.before
        assert await marker(self.source) is None
        assert await is_bare(self.target)

    async def check_moved(self) -> None:
        """Raise unless all of it, and only it, is in the target."""
        after = await held(self.target)
        assert {key: value for key, (value, _) in after.items()} == self.records
        if await positioned(self.source) and await positioned(self.target):
            assert after == self.before
        assert await held(self.source) == {}
        assert await self.sides_that_open() == [self.target]


class Rounds:
    """The kills of one pair."""

    def __init__(
        self, pair: tuple[str, str], place: Places, records: dict[str, bytes], seed: int
    ) -> None:
        self._pair, self._place, self._records, self._seed = pair, place, records, seed
        self._dice = Random(f"{seed}/{'/'.join(pair)}")
        self._pauses: list[float] = []
        """How an undisturbed run goes."""
        self._ending: list[float] = []
        """How it goes from the decision on; the removal from a target is much the same."""
        self._told: list[str] = []
        self.struck: Counter[str] = Counter()
        """Behind which steps runs were killed."""

    async def run(self, kills: int) -> None:
        """Kill so many runs at least, half of them new ones and half of them those that go on."""
        landed: Counter[str] = Counter({"new": 0, "going on": 0})
        try:
            async with Nursery.opened() as nursery:
                await self._measure(nursery)
                for _ in range(TRIES * kills):
                    await self._round(nursery, landed)
                    if 2 * min(landed.values()) >= kills:
                        return
                raise AssertionError(f"most kills came too late: {landed}")
        except BaseException as exc:
            exc.add_note(f"{self}: {'; '.join(self._told[-4:])}")
            raise

    async def _measure(self, nursery: Nursery) -> None:
        session = await self._begin()
        ran = await self._finish(nursery, session)
        self._pauses = ran.pauses
        self._ending = ran.pauses[ran.steps.index("deciding") :]
        await session.check_moved()

    async def _round(self, nursery: Nursery, landed: Counter[str]) -> None:
        """Kill two runs, and let a third one end."""
        session = await self._begin()
        ran = await self._attempt(nursery, session, self._drawn(self._pauses))
        landed["new"] += ran.code == KILLED
        if await opens(session.target):
            # A run that finds the move decided does what that one would have done next.
            kill = self._drawn(self._pauses[len(ran.steps) :] or self._pauses[-1:])
        elif self._dice.random() < ABANDONED:
            await self._abandon(nursery, session, landed)
            return
        else:
            kill = self._drawn(self._pauses)
        ran = await self._attempt(nursery, session, kill)
        landed["going on"] += ran.code == KILLED
        await self._finish(nursery, session)
        await session.check_moved()

    async def _abandon(self, nursery: Nursery, session: Session, landed: Counter[str]) -> None:
        """Give the move up, which is killed, too, and then comes to its end."""
        words = ("abandon", "--yes")
        ran = await self._attempt(nursery, session, self._drawn(self._ending), *words)
        landed["going on"] += ran.code == KILLED
        await self._finish(nursery, session, *words)
        await session.check_stayed()

    async def _finish(self, nursery: Nursery, session: Session, *words: str) -> Ran:
        """Run to the end, which a starved run leaves to the next."""
        for _ in range(TRIES):
            ran = await self._attempt(nursery, session, None, *words)
            if ran.code == 0:
                return ran
        raise AssertionError(f"{TRIES} runs lost their leases: this machine has no time for us")

    def _drawn(self, pauses: list[float]) -> Kill:
        return Kill.drawn(self._dice, pauses)

    async def _begin(self) -> Session:
        source, target = (self._place(kind) for kind in self._pair)
        await fill(source, self._records)
        return Session(source, target, self._records, await held(source))

    async def _attempt(
        self, nursery: Nursery, session: Session, kill: Kill | None = None, *words: str
    ) -> Ran:
        """Run wa-migrate, look which side opens, and let a worker open that now and then."""
        urls = ("--from", session.source, "--to", session.target)
        ran = await nursery.migrate(*words, *urls, kill=kill)
        self._told.append(f"{' '.join(words)} {kill or 'no kill'}: {ran}")
        assert ran.code in (KILLED, 0) or ran.is_starved
        opening = await session.sides_that_open()
        assert len(opening) == 1
        if ran.code == KILLED:
            self.struck[ran.steps[-1] if ran.steps else "start"] += 1
            if self._dice.random() < 0.5:
                await wake(*opening)
        return ran

    def __str__(self) -> str:
        struck = ", ".join(f"{number} {step}" for step, number in sorted(self.struck.items()))
        return f"{' to '.join(self._pair)}, seed {self._seed}: killed behind {struck or 'nothing'}"


async def run_all(pairs: Iterable[Rounds], kills: int, *, side_by_side: int) -> None:
    """Run several pairs at once: each waits most of the time for the leases of dead runs."""
    todo, failed = list(pairs), []

    async def work() -> None:
        while todo:
            rounds = todo.pop()
            try:
                await rounds.run(kills)
            except Exception as exc:
                failed.append(exc)
            print(rounds)

    async with asyncio.TaskGroup() as group:
        for _ in range(side_by_side):
            group.create_task(work())
    if failed:
        raise ExceptionGroup("not every pair survives", failed)
