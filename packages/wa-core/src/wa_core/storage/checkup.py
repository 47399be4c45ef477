"""Trying a place out: every kind of call, on a scratch session that is removed again.

No session of the place is touched. The scratch session has one name for all, and whoever tries
holds its lease, so that two at once do not meet and what a killed one left is cleared by the next.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from wa_core.errors import FencedError, StorageError, WaError
from wa_core.storage.batch import Batch
from wa_core.storage.capabilities import Durability
from wa_core.storage.engine import Engine
from wa_core.storage.layouts import key_of
from wa_core.storage.lease import Lease
from wa_core.storage.registry import bare_url, open_engine, provider_for
from wa_core.storage.url import EngineUrl

RECORDS = 20
WRITES = 10
"""Single writes that are timed, one after the other."""
_LEASE_S = 300.0
_KEYS = tuple(key_of("pre-key", str(number)) for number in range(1, RECORDS + 1))
"""Every layout has a place for them."""
_VALUE = b'{"private":{"type":"Buffer","data":""},"public":{"type":"Buffer","data":""}}'


class Outcome(StrEnum):
    """What came of a step."""

    GOOD = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that was tried."""

    name: str
    outcome: Outcome
    seconds: float = 0.0
    found: str = ""
    advice: str = ""
    error: WaError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """What came of all of them, in the order in which they were tried."""

    url: str
    """The scratch session, without secrets."""
    steps: tuple[Step, ...]

    @property
    def error(self) -> WaError | None:
        """What the first step that failed met."""
        return next((step.error for step in self.steps if step.error is not None), None)

    @property
    def is_sound(self) -> bool:
        """Tell whether no step failed."""
        return all(step.outcome is not Outcome.FAILED for step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        """Describe it for a program."""
        return {
            "url": self.url,
            "sound": self.is_sound,
            "steps": [
                {
                    "step": step.name,
                    "outcome": step.outcome,
                    "seconds": round(step.seconds, 6),
                    "found": step.found,
                    "advice": step.advice,
                    "error": step.error and step.error.code,
                }
                for step in self.steps
            ],
        }


@dataclass(frozen=True, slots=True)
class _Result:
    found: str
    outcome: Outcome = Outcome.GOOD
    advice: str = ""


async def examine(
    url: str | EngineUrl,
    *,
    began: Callable[[str], None] = lambda name: None,
    now: Callable[[], float] = time.perf_counter,
) -> Checkup:
    """Try out the place of a URL; `began` hears the name of each step.

    Cancelling it removes the scratch session all the same.
    """
    parsed = EngineUrl.parse(url) if isinstance(url, str) else url
    scratch = provider_for(parsed.scheme).scratch(parsed)
    trial = _Trial(scratch, began, now)
    await trial.run()
    return Checkup(url=str(scratch), steps=tuple(trial.steps))


@dataclass(slots=True)
class _Trial:
    """One run, from the first connection to the last trace."""

    url: EngineUrl
    began: Callable[[str], None]
    now: Callable[[], float]
    steps: list[Step] = field(default_factory=list)
    engine: Engine = field(init=False)
    """Set by the first step."""
    is_open: bool = False
    lease: Lease | None = None
    is_ours: bool = False
    """Whether the scratch session is ours to remove."""

    async def run(self) -> None:
        """Take every step; behind one that failed only the cleaning up makes sense."""
        plan: Sequence[tuple[str, Callable[[], Awaitable[_Result]]]] = (
            ("connect", self.connect),
            ("lease", self.take_lease),
            ("write", self.write),
            ("read", self.read),
            ("list", self.list_newest),
            ("delete", self.delete),
            ("fence", self.fence),
            ("durability", self.durability),
        )
        try:
            for name, step in plan:
                if any(step.outcome is Outcome.FAILED for step in self.steps):
                    self.steps.append(Step(name=name, outcome=Outcome.SKIPPED))
                else:
                    await self.take(name, step)
        finally:
            if self.is_open:
                await self.take("clean up", self.clean_up)

    async def take(self, name: str, step: Callable[[], Awaitable[_Result]]) -> None:
        """Take one step and note what came of it."""
        self.began(name)
        start = self.now()
        try:
            result = await step()
        except WaError as exc:
            taken = self.now() - start
            failed = Step(
                name=name, outcome=Outcome.FAILED, seconds=taken, found=str(exc), error=exc
            )
            self.steps.append(failed)
        else:
            self.steps.append(
                Step(
                    name=name,
                    outcome=result.outcome,
                    seconds=self.now() - start,
                    found=result.found,
                    advice=result.advice,
                )
            )

    async def connect(self) -> _Result:
        self.engine = await open_engine(self.url)
        self.is_open = True
        return _Result(repr(self.engine).strip("<>"))

    async def take_lease(self) -> _Result:
        if "L1" not in self.engine.capabilities.claims:
            self.is_ours = True
            await self.engine.clear()
            found = "this layout has none: nothing keeps two programs apart"
            return _Result(found, Outcome.WARNING, "let one program alone use a session here")
        name = f"wa doctor (pid {os.getpid()} on {socket.gethostname()})"
        self.lease = await self.engine.acquire(name, _LEASE_S)
        self.is_ours = True
        # A run that was killed may have left something.
        await self.engine.clear()
        return _Result(f"epoch {self.lease.epoch}")

    async def write(self) -> _Result:
        batch = Batch()
        for key in _KEYS:
            batch.put(key, _VALUE)
        await self.engine.apply(batch, fence=self.lease)
        return _Result(f"{RECORDS} records in one batch")

    async def read(self) -> _Result:
        found = await self.engine.get_many(_KEYS)
        expect(set(found) == set(_KEYS), "what was written is not there")
        expect(await self.engine.get(key_of("pre-key", "0")) is None, "what is absent is there")
        return _Result(f"{len(found)} records in one question")

    async def list_newest(self) -> _Result:
        prefix = "session/pre-key/"
        counted = await self.engine.count(prefix)
        listed = await self.engine.list(prefix, limit=None)
        expect(counted == len(listed) == RECORDS, f"{counted} counted, {len(listed)} listed")
        if "O1" not in self.engine.capabilities.claims:
            return _Result("in an order of its own: this layout keeps no positions")
        expect(listed == list(reversed(_KEYS)), "the newest does not come first")
        return _Result("newest first")

    async def delete(self) -> _Result:
        batch = Batch()
        for key in _KEYS[1:]:
            batch.delete(key)
        await self.engine.apply(batch, fence=self.lease)
        left = await self.engine.list("", limit=None)
        expect(left == [_KEYS[0]], f"{len(left)} records are left where 1 should be")
        return _Result(f"{RECORDS - 1} records")

    async def fence(self) -> _Result:
        """Write under a lease that is over: a worker that slept too long does just that."""
        if self.lease is None:
            return _Result("no leases, no fence", Outcome.SKIPPED)
        await self.lease.release()
        try:
            await self.engine.apply(Batch().put(_KEYS[1], b"{}"), fence=self.lease)
        except FencedError:
            self.lease = await self.engine.acquire(self.lease.holder, _LEASE_S)
            return _Result("a write under a lease that is over is refused")
        raise StorageError("a write under a lease that is over went through")

    async def durability(self) -> _Result:
        """Write one by one, and read what was acknowledged over a connection of its own."""
        start = self.now()
        for key in _KEYS[:WRITES]:
            await self.engine.apply(Batch().put(key, _VALUE), fence=self.lease)
        each = (self.now() - start) / WRITES
        async with await open_engine(self.url, read_only=True) as fresh:
            found = await fresh.get_many(_KEYS[:WRITES])
        expect(len(found) == WRITES, "a fresh connection does not see what was acknowledged")
        level = self.engine.capabilities.durability
        told = f"{level}; {each * 1000:.2g} ms for one write"
        if level is Durability.POWER:
            return _Result(told)
        advice = "power loss may cost the latest writes: `wa inspect` says which setting does it"
        return _Result(told, Outcome.WARNING, advice)

    async def clean_up(self) -> _Result:
        try:
            if self.lease is not None:
                await self.lease.release()
        finally:
            await self.engine.close()
        if not self.is_ours:
            return _Result("the scratch session is somebody else's", Outcome.SKIPPED)
        await provider_for(self.url.scheme).discard(bare_url(self.url))
        return _Result("nothing is left")


def expect(is_so: bool, otherwise: str) -> None:
    """Raise where a backend breaks the contract."""
    if not is_so:
        raise StorageError(f"{otherwise}: this engine does not keep the contract here")
