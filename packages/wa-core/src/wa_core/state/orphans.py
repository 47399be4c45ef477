"""Records of a session that belong to nothing, by their names and by the table of LIDs.

They do no harm by themselves; each tells of something that went wrong when it was left behind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from itertools import islice

from wa_core.errors import CorruptRecordError
from wa_core.state.addresses import REVERSE, Address
from wa_core.state.findings import Severity
from wa_core.state.ledger import LID_MAPPING, parse
from wa_core.storage import Engine
from wa_core.storage.layouts import CREDS, KINDS, SESSION, key_of, record_of

CHUNK = 500


class Orphan(Enum):
    """A kind of orphan: how bad it is, what it is, and what to do about it."""

    UNREADABLE = (
        Severity.WARNING,
        "keys that are no record",
        "find out who wrote them: nothing here reads them",
    )
    UNKNOWN = (
        Severity.NOTE,
        "records of a kind we do not know",
        "nothing: they are kept as they are",
    )
    ONE_WAY = (
        Severity.WARNING,
        "LID mappings without their way back",
        "connect: the server tells both ways again",
    )
    LEFT_BY_NUMBER = (
        Severity.WARNING,
        "ratchets by number of peers whose LID is known",
        "read on: the first message from there moves the ratchet",
    )
    MEMORY = (
        Severity.NOTE,
        "notes of who has a sender key, for groups without one",
        "nothing: the next message to the group writes them anew",
    )
    DAMAGED = (Severity.ERROR, "damaged LID mappings", "delete them: the server tells them again")

    def __init__(self, severity: Severity, what: str, advice: str) -> None:
        self.severity, self.what, self.advice = severity, what, advice


async def find_orphans(engine: Engine) -> Mapping[Orphan, int]:
    """Count the orphans of a session; the values of LID mappings are all that is read."""
    names: dict[str, list[str]] = {}
    found: Counter[Orphan] = Counter()
    for key in await engine.list(SESSION, limit=None):
        record = record_of(key)
        if record is not None:
            names.setdefault(record[0], []).append(record[1])
        elif key != CREDS:
            found[Orphan.UNREADABLE] += 1
    mapped, damaged = await _mappings(engine, names.get(LID_MAPPING, ()))
    found[Orphan.DAMAGED] = damaged
    found[Orphan.UNKNOWN] = sum(len(ids) for kind, ids in names.items() if kind not in KINDS)
    found[Orphan.ONE_WAY] = sum(1 for _ in _one_way(mapped))
    peers = map(Address.parse, names.get("session", ()))
    found[Orphan.LEFT_BY_NUMBER] = sum(
        peer is not None and peer.is_by_number and peer.user in mapped for peer in peers
    )
    groups = {name.partition("::")[0] for name in names.get("sender-key", ())}
    memories = names.get("sender-key-memory", ())
    found[Orphan.MEMORY] = sum(group not in groups for group in memories)
    return {orphan: found[orphan] for orphan in Orphan if found[orphan]}


def _one_way(mapped: Mapping[str, str]) -> Iterator[str]:
    for name, other in mapped.items():
        back = f"{other}{REVERSE}" if not name.endswith(REVERSE) else other
        if mapped.get(back) != name.removesuffix(REVERSE):
            yield name


async def _mappings(engine: Engine, ids: Iterable[str]) -> tuple[dict[str, str], int]:
    """Read the table of LIDs; return what it says, and how many of it cannot be read."""
    mapped: dict[str, str] = {}
    damaged = 0
    waiting = iter(ids)
    while chunk := list(islice(waiting, CHUNK)):
        try:
            mapped |= await _read(engine, chunk)
        except CorruptRecordError:
            for ident in chunk:
                try:
                    mapped |= await _read(engine, [ident])
                except CorruptRecordError:
                    damaged += 1
    return mapped, damaged


async def _read(engine: Engine, ids: list[str]) -> dict[str, str]:
    keys = {key_of(LID_MAPPING, ident): ident for ident in ids}
    found = await engine.get_many(keys)
    values = {keys[key]: parse(key, data) for key, data in found.items()}
    return {ident: _user(ident, value) for ident, value in values.items()}


def _user(ident: str, value: object) -> str:
    if isinstance(value, str):
        return value
    raise CorruptRecordError(key_of(LID_MAPPING, ident), "it names no user")
