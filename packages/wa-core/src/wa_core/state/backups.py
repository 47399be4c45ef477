"""Backups that a service takes of its own sessions, day by day.

Only the process that writes a session can hold its commits back, so here a backup never fails for a
session that is too busy: they wait for the few round trips of one moment. The clock goes on across
restarts, for when the next one is due is told by the folder.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from wa_core.archive import About, Proof, Writer, capture
from wa_core.archive.shelf import listed, new_path, rotate
from wa_core.crypto.derivation import STRONG, Cost
from wa_core.crypto.keysource import Callback, KeySource, source_of
from wa_core.errors import SessionLeavingError, UsageError, WaError
from wa_core.state.moves import Stage, check_openable, get_move
from wa_core.storage import CachedEngine, Engine

log = logging.getLogger(__name__)

DAY_S = 86_400.0
KEEP = 7
RETRY_S = 900.0
"""How long after a failure it is tried again, at most."""
_SPREAD = 0.1
"""What part of a wait is random, so that a thousand sessions do not wake at once."""


class Live(Writer, Protocol):
    """What is backed up: an `AuthState`."""

    @property
    def engine(self) -> Engine:
        """Where its records lie."""

    async def flush(self) -> None:
        """Save what is unsaved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Time and dice; tests have others."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    dice: Callable[[], float] = random.random
    """A number from 0 to 1."""


SYSTEM = Pace()


def _unheard(what: object) -> None:
    """Listen to nothing."""


@asynccontextmanager
async def schedule_backups(
    state: Live,
    folder: str,
    *,
    key: KeySource | Callback | str,
    session: str = "",
    every_s: float = DAY_S,
    keep: int = KEEP,
    on_backup: Callable[[Proof], object] = _unheard,
    on_error: Callable[[WaError], object] = _unheard,
    pace: Pace = SYSTEM,
    cost: Cost = STRONG,
) -> AsyncIterator[None]:
    """Take a backup of a state every `every_s` seconds while this is entered, and keep the newest.

    `session` tells those of one session from others in the same folder. A backup that fails is
    logged, told to `on_error` and tried again; the service goes on. Leaving ends one under way.
    """
    if every_s <= 0 or keep < 1:
        raise UsageError("backups come every so many seconds, and at least one is kept")
    work = _Schedule(state, folder, source_of(key), session, every_s, keep, pace, cost)
    task = asyncio.create_task(work.run(on_backup, on_error), name="wa backups")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class _Schedule:
    def __init__(
        self,
        state: Live,
        folder: str,
        source: KeySource,
        session: str,
        every_s: float,
        keep: int,
        pace: Pace,
        cost: Cost,
    ) -> None:
        self._state = state
        self._folder = os.path.abspath(folder)
        self._source = source
        self._like = About(session=session, taken_at=0)
        self._every_s = every_s
        self._keep = keep
        self._pace = pace
        self._cost = cost

    async def run(
        self, on_backup: Callable[[Proof], object], on_error: Callable[[WaError], object]
    ) -> None:
        """Take one backup after the other, for ever."""
        wait = await self._until_first()
        while True:
            await self._pace.sleep(wait)
            try:
                on_backup(await self.take())
                wait = self._spread(self._every_s)
            except WaError as exc:
                log.warning("a backup was not taken: %s: %s", exc.code, exc)
                on_error(exc)
                wait = self._spread(min(RETRY_S, self._every_s))
            except Exception:
                # A mistake, ours or of a callback: told now, and raised where the schedule is left.
                log.exception("there will be no more backups")
                raise

    async def take(self) -> Proof:
        """Take one backup now, and remove those that are too many."""
        engine = self._state.engine
        while isinstance(engine, CachedEngine):
            engine = engine.inner  # what lies in the store counts
        await _check_stays(engine)
        await self._state.flush()
        secret = await self._source.load()
        about = About(session=self._like.session, taken_at=int(self._pace.now() * 1e6))
        path = await new_path(self._folder, about)
        found = await capture(
            engine,
            path,
            secret,
            about,
            writer=self._state,
            cost=self._cost,
            now=self._pace.now,
        )
        await rotate(self._folder, secret, self._like, self._keep)
        return found

    async def _until_first(self) -> float:
        """Wait for the rest of the time since the last one, whoever has taken that."""
        with suppress(WaError):
            mine = [
                each.about.taken_at / 1e6
                for each in await listed(self._folder, await self._source.load())
                if each.about is not None and each.about.session == self._like.session
            ]
            if mine:
                left = max(mine) + self._every_s - self._pace.now()
                return max(0.0, min(left, self._every_s)) + self._random(self._every_s)
        return self._random(min(self._every_s, RETRY_S))

    def _random(self, seconds: float) -> float:
        return seconds * _SPREAD * self._pace.dice()

    def _spread(self, seconds: float) -> float:
        return seconds * (1 - _SPREAD) + 2 * self._random(seconds)


async def _check_stays(engine: Engine) -> None:
    """Raise while the session is one side of a move: its own copy is being proven just then."""
    await check_openable(engine)
    move = await get_move(engine)
    if move is not None and move.stage is Stage.LEAVING:
        raise SessionLeavingError(move.other)
