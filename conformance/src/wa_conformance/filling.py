"""Filling sessions with records, and reading back what the checks compare.

Engines differ in what they take at once: where batches are claimed, a hundred records go in one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from itertools import islice
from urllib.parse import urlsplit

from wa_core.errors import EngineBusyError, EngineUnavailableError
from wa_core.storage import Batch, EngineUrl

from wa_conformance.bench import Bench
from wa_conformance.probe import Probe
from wa_conformance.target import TargetError, UrlTarget
from wa_conformance.wakeful import awake

CHUNK = 100
TESTABLE = 2**30
"""No engine is believed to take more than what can be tried."""
FREE_WITHIN_S = 5.0
LONGEST_MOMENT_S = 3.0
QUEUE_S = "60"
"""The timeout where a thousand calls wait for each other, on a disk that may be slow."""
FOREIGN_CLOCK_US = 5_000_000
"""How far the clock of another machine may be behind this one's."""


async def open_impatient(bench: Bench, took: float, *, least: float = 0.3) -> Probe:
    """Open an engine with a short timeout, where opening and more `took` so long.

    A timeout bounds connecting too, and on a busy machine that takes its time: then it gets longer.
    """
    timeout = max(least, min(3 * took, LONGEST_MOMENT_S))
    while True:
        try:
            return await bench.open(timeout=f"{timeout:.2g}")
        except EngineUnavailableError:
            if timeout > LONGEST_MOMENT_S:
                raise
            timeout *= 2


def value_of(key: str) -> bytes:
    """Make a value that tells which key it belongs to."""
    return b"value of " + key.encode()


async def fill(
    bench: Bench,
    probe: Probe,
    values: Mapping[str, bytes] | Iterable[str],
    *,
    at: int | None = None,
    chunk: int = CHUNK,
) -> dict[str, bytes]:
    """Write records, by default with values that name their keys; return what was written."""
    pairs = dict(values) if isinstance(values, Mapping) else {key: value_of(key) for key in values}
    if "W1" not in bench.claims:
        for key, value in pairs.items():
            await probe.set(key, value, at=at)
        return pairs
    rest = iter(pairs.items())
    while some := list(islice(rest, chunk)):
        batch = Batch()
        for key, value in some:
            batch.put(key, value, at=at)
        await probe.apply(batch)
    return pairs


async def remove(bench: Bench, probe: Probe, keys: Iterable[str]) -> None:
    """Delete trees, in one batch where batches are claimed."""
    if "W1" not in bench.claims:
        for key in keys:
            await probe.set(key, None)
        return
    batch = Batch()
    for key in keys:
        batch.delete(key)
    await probe.apply(batch)


def over(limit: int) -> bytes:
    """Make a value that is one byte over an engine's limit."""
    if limit > TESTABLE:
        raise TargetError(f"a limit of {limit} bytes cannot be tried: state {TESTABLE} or less")
    return bytes(limit + 1)


def demand(probe: Probe, condition: bool, message: str) -> None:
    """Demand what no line of the program can say; `message` says what was seen instead."""
    if not condition:
        probe.fail(message)


async def expect_everything(probe: Probe, values: Mapping[str, bytes]) -> None:
    """Demand that the session holds exactly these records."""
    found = await probe.list("", limit=None)
    probe.expect(
        sorted(found) == sorted(values),
        f"sorted(await {probe.name}.list(limit=None)) == {probe.program.value(sorted(values))}",
    )
    await probe.expect_many(list(values), values)


def clock_of(bench: Bench) -> int:
    """Read the clock, in microseconds, at which the backend's clock cannot be earlier."""
    now = time.time_ns() // 1_000
    if isinstance(bench.target, UrlTarget):
        place = EngineUrl.parse(bench.target.url(None)).place
        host = urlsplit(place).hostname if place.startswith("//") else None
        if host not in (None, "", "localhost", "127.0.0.1", "::1"):
            return now - FOREIGN_CLOCK_US
    return now


async def positions(probe: Probe, prefix: str = "") -> dict[str, int]:
    """Read the positions of all keys; needs S1."""
    return {entry.key: entry.at for entry in await probe.scan(prefix)}


def place_of(bench: Bench) -> str:
    """Write the URL of the target's place, without a session; needs `Need.URL`."""
    if not isinstance(bench.target, UrlTarget):
        raise TargetError(f"{bench.target.shown} is no URL")
    return bench.target.url(None)


async def open_when_free(bench: Bench) -> Probe:
    """Open the session as soon as nobody has it: a thread may still be busy letting go."""
    deadline = awake() + FREE_WITHIN_S
    while True:
        try:
            return await bench.open()
        except EngineBusyError:
            if awake() > deadline:
                raise
            await asyncio.sleep(0.01)
