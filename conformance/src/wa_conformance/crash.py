"""Numbered generations: batches of which anybody can tell afterwards what must be there.

A writer applies one generation after the other and says so after each; then it is killed. The state
after generation n follows from n alone, so that a reader can name it, and everything else is a
violation: a torn batch, a lost or a returned record, a step back.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import pairwise

from wa_core.storage import Batch

from wa_conformance.filling import demand, positions
from wa_conformance.model import GREATEST, in_order
from wa_conformance.probe import Probe
from wa_conformance.violation import Violation

SLOTS = 14
STATE = "state"
PLACED = 1_000
"""Where the explicit positions of `state` begin; generation n stands n higher."""


def generation(seed: int, number: int) -> Batch:
    """Build generation `number`: 20 operations over several folders, deletes and cascades too."""
    batch = Batch().delete(f"message/{number - 2}")
    for slot in range(SLOTS):
        batch.put(_slot(slot), _value(seed, number, slot))
    batch.put(STATE, str(number), at=PLACED + number)
    batch.put(f"message/{number}", str(number)).put(f"message/{number}/raw", b"\x00" * (number % 9))
    here, there = ("odd", "even") if number % 2 else ("even", "odd")
    return batch.delete(f"toggle/{there}").put(f"toggle/{here}/x", str(number))


def expected(seed: int, number: int) -> dict[str, bytes]:
    """Say what the session holds after generation `number`; 0 is an empty one."""
    if number == 0:
        return {}
    held = {_slot(slot): _value(seed, number, slot) for slot in range(SLOTS)}
    held[STATE] = str(number).encode()
    for each in (number, number - 1):
        if each > 0:
            held[f"message/{each}"] = str(each).encode()
            held[f"message/{each}/raw"] = b"\x00" * (each % 9)
    held[f"toggle/{'odd' if number % 2 else 'even'}/x"] = str(number).encode()
    return held


def _slot(slot: int) -> str:
    return f"folder-{slot % 4}/slot@{slot}" + ("/index" if slot % 3 else "")


def _value(seed: int, number: int, slot: int) -> bytes:
    dice = random.Random(f"{seed}/{number}/{slot}")
    size = 60_000 if (number + slot) % 37 == 0 else dice.choice((0, 1, 40, 700, 3_000))
    return f"{number}/{slot}/".encode() + dice.randbytes(size)


async def _generation_of(engine: Probe) -> int:
    return int(await engine.get(STATE) or b"0")


class Witness:
    """Looks at a session after each kill, and remembers what it saw before."""

    def __init__(self, seed: int, *, scans: bool) -> None:
        self.seen = 0
        """The generation that was there last."""
        self._seed = seed
        self._scans = scans
        self._last = -1
        self._last_of = 0

    async def look(self, engine: Probe, *, acknowledged: int, kept: bool = True) -> None:
        """Demand the state after the last acknowledged batch, or after the one on its way.

        With `kept=False` what was acknowledged may be lost, but never in part.
        """
        engine.program.gap("a writing process was killed")
        number = await _generation_of(engine)
        try:
            await self._expect_moment(engine, number, acknowledged=acknowledged, kept=kept)
        except Violation:
            # What was on its way to a server when its writer died may have landed meanwhile.
            arrived = await _generation_of(engine)
            if arrived != number + 1:
                raise
            number = arrived
            await self._expect_moment(engine, number, acknowledged=acknowledged, kept=kept)
        self.seen = number

    async def _expect_moment(
        self, engine: Probe, number: int, *, acknowledged: int, kept: bool
    ) -> None:
        told = f"the writer was told that generation {acknowledged} is kept"
        if kept:
            before = f"generation {number} is there, {self.seen} was before"
            demand(engine, number >= self.seen, before)
            demand(engine, number >= acknowledged, f"{told}, and {number} is there")
        demand(engine, number <= acknowledged + 1, f"{told}, and {number} is there already")
        await self._expect_whole(engine, number)
        if self._scans and number:
            self._expect_places(engine, number, await positions(engine))

    async def _expect_whole(self, engine: Probe, number: int) -> None:
        wanted = expected(self._seed, number)
        listed = await engine.list("", limit=None)
        strange = sorted(set(listed) - set(wanted))
        missing = sorted(set(wanted) - set(listed))
        demand(
            engine,
            not strange and not missing and len(listed) == len(wanted),
            f"of generation {number} are not listed {missing!r}; listed but gone: {strange!r}",
        )
        found = await engine.get_many(wanted)
        mixed = {key: value[:8] for key, value in found.items() if value != wanted[key]}
        demand(engine, len(found) == len(wanted), f"{set(wanted) - set(found)!r} read as absent")
        demand(engine, not mixed, f"generation {number} is torn: {mixed!r}")
        await engine.expect_count(len(wanted))

    def _expect_places(self, engine: Probe, number: int, places: Mapping[str, int]) -> None:
        demand(engine, places[STATE] == PLACED + number, f"'state' stands at {places[STATE]}")
        given = [places[_slot(slot)] for slot in range(SLOTS)] + [places[f"message/{number}"]]
        growing = all(a < b for a, b in pairwise(given))
        demand(engine, growing and given[-1] <= GREATEST, f"positions of one batch: {given!r}")
        if number > self._last_of:
            demand(engine, given[0] > self._last, f"{given[0]} was given after {self._last}")
        self._last, self._last_of = max(places.values()), number

    async def expect_order(self, engine: Probe) -> None:
        """Demand that the list is in the order of the positions."""
        places = await positions(engine)
        await engine.expect_list(in_order(places), limit=None)
