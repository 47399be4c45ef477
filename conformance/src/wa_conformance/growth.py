"""Measuring growth: what a call costs in a small session and in a large one.

A time says nothing about another machine; a ratio of two, taken in one run, does. Noise only ever
adds (a disk that is still writing down the crowd adds milliseconds): so the fastest of several
calls counts, one measurement within the bound is proof, and one beyond it is tried again.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from statistics import median

from wa_conformance.probe import Probe

FEW, MANY = 100, 5_000
"""The sizes between which a cost that does not grow with the store stays the same."""
BOUND = 8.0
"""How many times more a call may cost at fifty times the size; log n gives less than 2."""
ATTEMPTS = 5
SAMPLES = 9


async def fastest_of(
    probe: Probe,
    call: Callable[[], Awaitable[object]],
    *,
    before: Callable[[], Awaitable[object]] | None = None,
) -> float:
    """Return the seconds of the fastest of several calls, each after `before`."""
    return min(await _timed(probe, call, before))


async def median_of(probe: Probe, call: Callable[[], Awaitable[object]]) -> float:
    """Return the seconds that a call usually takes."""
    return median(await _timed(probe, call, None))


async def _timed(
    probe: Probe,
    call: Callable[[], Awaitable[object]],
    before: Callable[[], Awaitable[object]] | None,
) -> list[float]:
    probe.program.gap("the check measures time")
    seconds = []
    for _ in range(SAMPLES + 1):
        if before is not None:
            await before()
        started = time.perf_counter()
        await call()
        seconds.append(time.perf_counter() - started)
    return seconds[1:]


async def expect_no_growth(
    probe: Probe,
    measure: Callable[[], Awaitable[float]],
    grow: Callable[[], Awaitable[object]],
    what: str,
    *,
    bound: float = BOUND,
) -> None:
    """Demand that `measure` gives about the same after `grow` as before."""
    small = max([await measure() for _ in range(ATTEMPTS)])
    await grow()
    ratios = []
    for _ in range(ATTEMPTS):
        ratios.append(await measure() / small)
        if ratios[-1] <= bound:
            return
    probe.fail(
        f"{what} costs {min(ratios):.0f} times as much in a session fifty times as large "
        f"(bound: {bound:g})"
    )
