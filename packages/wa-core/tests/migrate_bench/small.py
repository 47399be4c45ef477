"""A session of few records, one of each sort that could go wrong, and ways to stop a migration."""

from __future__ import annotations

import pytest
from wa_core.errors import WaError
from wa_core.migrate import Phase, Progress, copy
from wa_core.state.moves import Move, get_move
from wa_core.storage import open_engine

from migrate_bench.sample import fill

RECORDS = {
    "session/creds": b'{"me":{"id":"1"}}',
    "session/pre-key/1": b"\x00\xff",
    "session/app-state-sync-key/AAA%2FB=": b"",
    "contact/1@s.whatsapp.net/index": b"contact",
    "lid/77": b"1@s.whatsapp.net",
    "chat/1": b"a value that has keys below it",
    "chat/1/index": b"chat",
    "chat/1/message/A/content": b"x" * 70_000,
    "wa": b"a key above the marker",
    "elsewhere/\N{SNOWMAN} * % _": b"nobody knows this one",
}
"""Odd keys and values; `wa` lies above the marker."""

ON_DISK = [("file", "sqlite"), ("sqlite", "file"), ("baileys", "file"), ("file", "baileys")]
"""Pairs that need no server."""

AUTH = {key: value for key, value in RECORDS.items() if key.startswith("session/")}


class Interference(WaError):
    """What a test does in the middle of a migration."""

    code = "interference"


def at(phase: Phase, moment: int = 1) -> Stop:
    return Stop(phase, moment)


class Stop:
    """A listener that raises at the n-th step of a phase."""

    def __init__(self, phase: Phase, moment: int) -> None:
        self.phase, self.left = phase, moment

    def __call__(self, progress: Progress) -> None:
        if progress.phase is self.phase:
            self.left -= 1
            if not self.left:
                raise Interference("here")


async def begun(
    source: str,
    target: str,
    records: dict[str, bytes] = RECORDS,
    *,
    until: Phase = Phase.DECIDING,
    on_conflict: str = "refuse",
) -> None:
    """Leave a move as it stands at that phase; at `DECIDING` the target is complete."""
    await fill(source, records)
    with pytest.raises(Interference):
        await copy(source, target, listener=at(until), on_conflict=on_conflict)


async def marker(url: str) -> Move | None:
    """Read the marker of a store."""
    async with await open_engine(url, read_only=True) as engine:
        return await get_move(engine)


async def emptied(url: str) -> None:
    """Let a store lose all it has."""
    async with await open_engine(url) as engine:
        await engine.clear()
