"""All sessions of a place, one after the other; what fails keeps none of the others back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from wa_core.errors import UsageError, WaError
from wa_core.migrate.report import Report
from wa_core.storage import EngineUrl, list_sessions


@dataclass(frozen=True, slots=True)
class Pair:
    """One session and where it goes, as URLs."""

    name: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one of them."""

    pair: Pair
    report: Report | None
    error: WaError | None = None


async def pairs_of(source: str, target: str, rename: Mapping[str, str]) -> list[Pair]:
    """Pair each session of a place with one of another place, by name or by new name."""
    for url in (source, target):
        if EngineUrl.parse(url).session is not None:
            raise UsageError("all sessions of a place are meant: give both URLs without #session")
    names = await list_sessions(source)
    unknown = sorted(set(rename) - set(names))
    if unknown:
        raise UsageError(f"no session to rename is called {unknown[0]!r} there")
    wanted = [rename.get(name, name) for name in names]
    twice = {name for name in wanted if wanted.count(name) > 1}
    if twice:
        raise UsageError(f"two sessions would be called {min(twice)!r} at the target")
    return [
        Pair(name, named(source, name), named(target, new))
        for name, new in zip(names, wanted, strict=True)
    ]


def named(place: str, session: str) -> str:
    """Write the URL of a session; one without a name is the place itself."""
    return f"{place}#{quote(session, safe='')}" if session else place
