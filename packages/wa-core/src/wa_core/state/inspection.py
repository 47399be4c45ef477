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
    """What keeps the session from opening."""

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
        package, version = origin_of(parsed.scheme)
        return Inspection(
            url=str(parsed),
            package=package,
            version=version,
            capabilities=engine.capabilities,
            overview=seen,
            report=Report((*_of_store(engine.capabilities, seen, heard), *session)),
            error=error or seen.glance.error,
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
    found = f"{counted.damaged_records} are damaged: {names}{f' and {more} more' * (more > 0)}"
    advice = "bring them back from a backup; one that the phone or the server sends anew, delete"
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
