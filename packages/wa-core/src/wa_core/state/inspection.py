"""A look at one session and at the store that it lies in: what is sound, what is not, what to do.

It reads every record and changes none. What the session stands on is judged by `validate`; here is
what an operator must know of the store: its promise, its markers, its damage, who has it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from wa_core.errors import CorruptRecordError, DamagedSessionError, StorageError, WaError, masked
from wa_core.seal.description import describe
from wa_core.state.auth import AuthState
from wa_core.state.findings import Finding, Report, Severity
from wa_core.state.overview import Overview, Standing, look
from wa_core.state.validation import validate
from wa_core.storage import Capabilities, Durability, Engine, EngineUrl, open_engine
from wa_core.storage.registry import origin_of

_SAMPLE = 5
"""So many damaged records are named in the finding; the overview has more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was found."""

    url: str
    """The place, without secrets."""
    package: str
    version: str
    capabilities: Capabilities
    overview: Overview
    report: Report
    error: WaError | None = None
    """What keeps the session from opening, or else the first damaged record."""

    @property
    def worst(self) -> Severity:
        """How bad the worst of it is."""
        return self.report.worst

    def to_dict(self, *, full: bool = False) -> dict[str, Any]:
        """Describe it for a program; phone numbers are shortened unless `full`."""
        promised = self.capabilities
        return {
            "url": self.url,
            "package": self.package,
            "version": self.version,
            "contract": promised.contract,
            "durability": promised.durability,
            "shared": promised.shared,
            "max_value": promised.max_value,
            **self.overview.to_dict(full=full),
            "worst": str(self.worst),
            "findings": [
                {
                    "subject": finding.subject,
                    "severity": str(finding.severity),
                    "found": finding.found,
                    "advice": finding.advice,
                }
                for finding in self.report.findings
            ],
        }


async def inspect(url: str | EngineUrl, *, now: Callable[[], float] = time.time) -> Inspection:
    """Look at the session that a URL names; a store that does not open raises its error."""
    parsed = EngineUrl.parse(url) if isinstance(url, str) else url
    with _warnings() as heard:
        engine = await open_engine(parsed, read_only=True)
    async with engine:
        seen = await look(parsed.session or "", engine)
        session, error = await _validated(engine, now)
        seal = await _seal(engine)
        package, version = origin_of(parsed.scheme)
        return Inspection(
            url=str(parsed),
            package=package,
            version=version,
            capabilities=engine.capabilities,
            overview=seen,
            report=Report((*_of_store(engine.capabilities, seen, heard), seal, *session)),
            error=error or seen.glance.error or _damage(seen),
        )


async def _validated(
    engine: Engine, now: Callable[[], float]
) -> tuple[tuple[Finding, ...], WaError | None]:
    """Judge the session; one that does not open is one finding, which says why."""
    subject = "session"
    try:
        async with await AuthState.open(engine) as state:
            return (await validate(state, now=now)).findings, None
    except CorruptRecordError as exc:
        advice = "bring the record back from a backup; until then nothing may open this session"
        return (Finding(subject, Severity.ERROR, str(exc), advice),), exc
    except DamagedSessionError as exc:
        return (Finding(subject, Severity.ERROR, str(exc)),), exc
    except StorageError as exc:
        if exc.retryable:
            raise
        return (Finding(subject, Severity.ERROR, str(exc)),), exc


def _damage(seen: Overview) -> CorruptRecordError | None:
    damaged = seen.tally.damaged if seen.tally is not None else ()
    return next(map(CorruptRecordError, damaged), None)


def _of_store(promised: Capabilities, seen: Overview, heard: list[str]) -> Iterator[Finding]:
    yield Finding("contract", Severity.OK, f"version {promised.contract}, which is known here")
    yield _durability(promised, heard)
    yield _holder(seen)
    if seen.glance.other is not None and seen.glance.standing is not Standing.MOVED:
        found = masked(f"a move is under way; the other side is {seen.glance.other}")
        yield Finding("move", Severity.NOTE, found, "run the same wa-migrate again to finish it")
    yield _records(seen)


def _durability(promised: Capabilities, heard: list[str]) -> Finding:
    subject = "durability"
    if promised.durability is Durability.POWER:
        return Finding(subject, Severity.OK, "power: what was acknowledged survives power loss")
    if heard:
        advice = "set the backend up for more, or say that less will do: ?durability="
        return Finding(subject, Severity.WARNING, "; ".join(heard), advice + promised.durability)
    if not promised.shared:
        found = f"{promised.durability} for who reads beside the writer; its own may be stronger"
        return Finding(subject, Severity.NOTE, found)
    return Finding(subject, Severity.NOTE, f"{promised.durability}: see the engine's page")


async def _seal(engine: Engine) -> Finding:
    subject = "seal"
    try:
        seal = await describe(engine)
    except CorruptRecordError as exc:
        return Finding(subject, Severity.ERROR, str(exc), "bring the session back from a backup")
    if seal is None:
        found = "none: whoever reads the store has the account"
        return Finding(subject, Severity.NOTE, found, "move it with wa-migrate to a URL with seal=")
    found = f"every value, with data key {seal.generation}"
    if seal.is_rotating:
        found += "; a rotation was begun and is not finished"
        return Finding(subject, Severity.WARNING, found, "run `wa seal rotate` again")
    if seal.is_due:
        return Finding(subject, Severity.NOTE, f"{found}, which is old", "`wa seal rotate`")
    return Finding(subject, Severity.OK, found)


def _holder(seen: Overview) -> Finding:
    if not seen.is_holder_known:
        found = "it cannot be known who has this session"
        return Finding("holder", Severity.NOTE, found, "this layout or this machine does not tell")
    if seen.holder is None:
        return Finding("holder", Severity.OK, "nobody has it now")
    left = seen.holder.expires_in
    until = "" if left is None else f", for {left:.0f} s more unless it renews"
    return Finding("holder", Severity.OK, masked(f"{seen.holder.name} has it{until}"))


def _records(seen: Overview) -> Finding:
    counted = seen.tally
    if counted is None or not counted.damaged_records:
        return Finding("records", Severity.OK, "every one can be read")
    names = ", ".join(masked(key) for key in counted.damaged[:_SAMPLE])
    more = counted.damaged_records - _SAMPLE
    number = counted.damaged_records
    found = f"{number} {'is' if number == 1 else 'are'} damaged: {names}"
    if more > 0:
        found += f" and {more} more"
    advice = "bring them back from a backup, or `wa rm` what the phone or the server sends anew"
    return Finding("records", Severity.ERROR, found, advice)


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Hear what engines say when they open with less than power: they log it once [D2]."""
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.WARNING and "durability" in record.getMessage():
                heard.append(masked(record.getMessage()))

    ear, root = Ear(), logging.getLogger()
    root.addHandler(ear)
    try:
        yield heard
    finally:
        root.removeHandler(ear)
