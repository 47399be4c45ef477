"""What a session holds, counted in one pass: kinds, bytes, damage, the last write.

A scan ends at the first damaged record; then every key is looked up by itself, which is slow and
finds them all. Memory does not grow with the session.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from wa_core.errors import CorruptRecordError
from wa_core.seal import HEAD_KEY
from wa_core.state.moves import MOVE_KEY
from wa_core.storage import Engine
from wa_core.storage.layouts import CREDS, KINDS, record_of

PAGE = 500
MOST_NAMED = 100
"""More damaged records than this are counted, not named."""
OTHER_KINDS = "other kinds"
ELSEWHERE = "elsewhere"


@dataclass(slots=True)
class Tally:
    """What was counted; nothing of any value."""

    kinds: Counter[str] = field(default_factory=Counter)
    """How many there are of what people count: pre-keys, contacts, chats, messages, ..."""
    records: int = 0
    size: int = 0
    """The bytes of all values that can be read."""
    newest: int | None = None
    """The position of the last write, in microseconds since 1970."""
    damaged: list[str] = field(default_factory=list)
    """The keys of records that cannot be read; the first hundred."""
    damaged_records: int = 0

    def take(self, key: str, size: int) -> None:
        """Count one record."""
        if is_ours(key):
            return
        self.records += 1
        self.size += size
        kind = kind_of(key)
        if kind is not None:
            self.kinds[kind] += 1

    def take_damaged(self, key: str) -> None:
        """Count one that cannot be read."""
        self.damaged_records += 1
        if len(self.damaged) < MOST_NAMED:
            self.damaged.append(key)


def is_ours(key: str) -> bool:
    """Tell whether a key belongs to the store and not to the session."""
    return key in (MOVE_KEY, HEAD_KEY) or key.startswith((f"{MOVE_KEY}/", f"{HEAD_KEY}/"))


def kind_of(key: str) -> str | None:
    """Name what a record is one of; None for a part of something that is counted elsewhere."""
    if key == CREDS:
        return "creds"
    record = record_of(key)
    if record is not None:
        return record[0] if record[0] in KINDS else OTHER_KINDS
    parts = key.split("/")
    match parts[0]:
        case "contact":
            return "contact" if len(parts) == 3 and parts[2] == "index" else None
        case "lid":
            return "lid" if len(parts) == 2 else None
        case "chat" if len(parts) == 3 and parts[2] == "index":
            return "chat"
        case "chat" if len(parts) == 5 and parts[2:5:2] == ["message", "index"]:
            return "message"
        case "chat":
            return None
    return ELSEWHERE


async def tally(engine: Engine) -> Tally:
    """Count a session."""
    try:
        return await _by_scan(engine)
    except CorruptRecordError:
        return await _by_key(engine)


async def _by_scan(engine: Engine) -> Tally:
    counted = Tally()
    newest = 0
    async with aclosing(engine.scan()) as entries:
        async for entry in entries:
            counted.take(entry.key, len(entry.value))
            if entry.at > newest and not is_ours(entry.key):
                newest = entry.at
    counted.newest = newest or None
    return counted


async def _by_key(engine: Engine) -> Tally:
    counted = Tally()
    async for keys in _pages(engine):
        values, damaged = await read_each(engine, keys)
        for key, value in values.items():
            counted.take(key, len(value))
        for key in damaged:
            counted.take(key, 0)
            counted.take_damaged(key)
    return counted


async def _pages(engine: Engine) -> AsyncIterator[list[str]]:
    offset = 0
    while page := await engine.list("", offset, PAGE):
        offset += len(page)
        yield page


async def read_each(engine: Engine, keys: Iterable[str]) -> tuple[Mapping[str, bytes], list[str]]:
    """Read records; return those that can be read, and the keys of those that cannot."""
    wanted = list(keys)
    try:
        return await engine.get_many(wanted), []
    except CorruptRecordError:
        found: dict[str, bytes] = {}
        damaged = []
        for key in wanted:
            try:
                found |= await engine.get_many([key])
            except CorruptRecordError:
                damaged.append(key)
        return found, damaged
