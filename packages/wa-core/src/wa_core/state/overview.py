"""The sessions of a place at a glance: whose each is, what it holds, who has it.

Everything is read and nothing is written, not even where a move could be finished in passing. What
keeps one session from being looked at is told of that one, and the others are told all the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from wa_core.errors import (
    CorruptRecordError,
    SealedStoreError,
    SessionArrivingError,
    SessionMovedError,
    StorageError,
    UnsupportedError,
    WaError,
    masked,
)
from wa_core.state.creds import Creds
from wa_core.state.moves import Move, Stage, check_openable, get_move
from wa_core.state.tally import Tally, tally
from wa_core.storage import Engine, EngineUrl, Holder, list_sessions, open_engine
from wa_core.storage.layouts import CREDS


class Standing(StrEnum):
    """What a store is of a session."""

    LINKED = "linked"
    """A phone took it for its own."""
    PAIRING = "pairing"
    """A pairing code waits to be typed."""
    UNPAIRED = "unpaired"
    """An identity without a phone."""
    EMPTY = "empty"
    DAMAGED = "damaged"
    """The credentials cannot be read, or are gone while other records are there."""
    MOVED = "moved"
    """It lives elsewhere now."""
    ARRIVING = "arriving"
    """Half of a move: it opens elsewhere."""
    SEALED = "sealed"
    """Only whoever names the key with `seal=` can read it."""
    UNREADABLE = "unreadable"
    """Nothing of it could be looked at: see the error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """Whether a store is a session, and whose."""

    standing: Standing
    me: str | None = None
    """Whose device it is, as the credentials have it: a whole phone number."""
    other: str | None = None
    """The URL of the other side of a move."""
    error: WaError | None = None
    """What is damaged, or keeps it from being looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """One session of a place."""

    name: str
    glance: Glance
    tally: Tally | None = None
    holder: Holder | None = None
    is_holder_known: bool = True
    """False where the engine cannot tell who has the session."""

    def to_dict(self, *, full: bool = False) -> dict[str, Any]:
        """Describe it for a program; phone numbers are shortened unless `full`."""
        spelt = str if full else masked
        glance, counted, holder = self.glance, self.tally, self.holder
        return {
            "session": spelt(self.name),
            "standing": glance.standing,
            "me": glance.me and spelt(glance.me),
            "other": glance.other and spelt(glance.other),
            "error": glance.error and {"code": glance.error.code, "message": str(glance.error)},
            "kinds": dict(counted.kinds) if counted else None,
            "records": counted and counted.records,
            "damaged": [spelt(key) for key in counted.damaged] if counted else None,
            "damaged_records": counted and counted.damaged_records,
            "bytes": counted and counted.size,
            "last_write_us": counted and counted.newest,
            "holder": holder and {"name": spelt(holder.name), "expires_in_s": holder.expires_in},
            "holder_known": self.is_holder_known,
        }


async def look_at(url: str | EngineUrl) -> AsyncIterator[Overview]:
    """Look at the session that a URL names, or at each of a place."""
    parsed = EngineUrl.parse(url) if isinstance(url, str) else url
    if parsed.session is not None:
        yield await overview(parsed.session, parsed)
        return
    for name in await list_sessions(parsed):
        yield await overview(name, parsed.with_session(name) if name else parsed)


async def overview(name: str, url: EngineUrl) -> Overview:
    """Look at one session; what goes wrong is part of the answer."""
    try:
        async with await open_engine(url, read_only=True) as engine:
            return await look(name, engine)
    except StorageError as exc:
        glance = Glance(standing=Standing.UNREADABLE, error=exc)
        return Overview(name=name, glance=glance, is_holder_known=False)


async def look(name: str, engine: Engine) -> Overview:
    """Look at an open session."""
    glance = await glance_at(engine)
    try:
        holder, known = await engine.holder(), True
    except UnsupportedError:
        holder, known = None, False
    return Overview(
        name=name, glance=glance, tally=await tally(engine), holder=holder, is_holder_known=known
    )


async def glance_at(engine: Engine) -> Glance:
    """Tell what a store is of a session, from its markers and its credentials."""
    try:
        await check_openable(engine)
        data = await engine.get(CREDS)
        if data is None:
            return Glance(standing=Standing.DAMAGED if await engine.count() else Standing.EMPTY)
        return _of_creds(Creds.from_bytes(data), await get_move(engine))
    except SessionMovedError as exc:
        return Glance(standing=Standing.MOVED, other=exc.target, error=exc)
    except SessionArrivingError as exc:
        return Glance(standing=Standing.ARRIVING, other=exc.source, error=exc)
    except SealedStoreError as exc:
        return Glance(standing=Standing.SEALED, error=exc)
    except CorruptRecordError as exc:
        return Glance(standing=Standing.DAMAGED, error=exc)


def _of_creds(creds: Creds, move: Move | None) -> Glance:
    return Glance(
        standing=_standing(creds),
        me=None if creds.me is None else creds.me.id,
        other=None if move is None or move.stage is not Stage.LEAVING else move.other,
    )


def _standing(creds: Creds) -> Standing:
    if creds.is_linked:
        return Standing.LINKED
    return Standing.UNPAIRED if creds.me is None else Standing.PAIRING
