"""The marker of a move: which of two stores is the session, at every moment of a migration.

A move writes `wa/move` into both stores. One write decides: the source's `moved`, a single atomic
batch. Until then the source opens, and the target waits; from then on the target opens. A target
that is complete but was left before it was told looks at its source, so that no crash between two
writes to two stores leaves none or both.

    source   (no marker) -> leaving -> moved -> settled
    target                  arriving -> verified -> (no marker)
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from wa_core.errors import (
    CorruptRecordError,
    LeaseHeldError,
    SealedStoreError,
    SessionArrivingError,
    SessionLeavingError,
    SessionMovedError,
    StoreVersionError,
    WaError,
)
from wa_core.seal.head import HEAD_KEY
from wa_core.storage import Batch, Engine, Lease, open_engine
from wa_core.storage.layouts import CREDS

MOVE_KEY = "wa/move"
"""Where the marker lies; it is never copied, and no tool but ours reads it."""

VERSION = 1
_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What comes of reading something that is no marker."""
_ACTIVATION_S = 10.0


class Stage(StrEnum):
    """How far a move is; the first three are of the source, the others of the target."""

    LEAVING = "leaving"
    """Announced; nothing is decided and this side opens."""
    MOVED = "moved"
    """Decided: the target is the session."""
    SETTLED = "settled"
    """The target was told; what stays here is for people to read."""
    ARRIVING = "arriving"
    """Being filled."""
    VERIFIED = "verified"
    """Complete and compared; opens as soon as its source says `moved`."""


GONE = (Stage.MOVED, Stage.SETTLED)
"""The stages of a source that is the session no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What a marker says."""

    id: str
    """The same on both sides."""
    stage: Stage
    other: str
    """The URL of the other side, without secrets."""
    at: int
    """When the move began, in microseconds since 1970."""
    detail: dict[str, str] = field(default_factory=dict)
    """What the tool wants to remember when it is run again."""
    creds: bytes | None = field(default=None, repr=False)
    """Of a source whose own tool reads no marker: the credentials, out of its reach."""

    def to_bytes(self) -> bytes:
        """Spell the marker as JSON."""
        held = None if self.creds is None else b64encode(self.creds).decode()
        fields = {
            "version": VERSION,
            "id": self.id,
            "role": "target" if self.stage in (Stage.ARRIVING, Stage.VERIFIED) else "source",
            "stage": self.stage,
            "other": self.other,
            "at": self.at,
            "detail": self.detail,
            "creds": held,
        }
        return json.dumps(fields).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Move:
        """Read a marker, or raise: an unreadable one never counts as none [G2, N3]."""
        try:
            found = json.loads(data)
            if found["version"] != VERSION:
                raise StoreVersionError(found["version"], VERSION)
            return _of_fields(found)
        except _UNREADABLE:
            # Not `from`: the marker may hold credentials.
            raise CorruptRecordError(MOVE_KEY, "it is no marker of a move") from None


def _of_fields(found: dict[str, Any]) -> Move:
    held = found.get("creds")
    return Move(
        id=str(found["id"]),
        stage=Stage(found["stage"]),
        other=str(found["other"]),
        at=int(found["at"]),
        detail={str(name): str(value) for name, value in found["detail"].items()},
        creds=None if held is None else b64decode(held, validate=True),
    )


async def get_move(engine: Engine) -> Move | None:
    """Read the marker of a store; None where no move touches it.

    Behind a seal the marker is sealed, too, and whoever has no key knows nothing of moves.
    """
    found = await engine.get_many((MOVE_KEY, HEAD_KEY))
    if HEAD_KEY in found:
        raise SealedStoreError
    data = found.get(MOVE_KEY)
    return None if data is None else Move.from_bytes(data)


async def check_openable(
    engine: Engine, force: bool = False, *, lease: Lease | None = None
) -> None:
    """Return if this store is the session; else raise, and say where the session is.

    `force` opens what was moved away, and what `--keep-source` left; it does not open what has not
    arrived. A holder of the session's lease passes it, so that what is written here is fenced; it
    takes back what a run that died has announced.
    """
    move = await get_move(engine)
    if move is None:
        return
    if move.stage is Stage.LEAVING:
        # Whoever still waits for the session announces it again, and again.
        if lease is not None and not engine.capabilities.read_only:
            await _drop(engine, move, lease)
    elif move.stage in GONE:
        if not force:
            raise SessionMovedError(move.other)
        await _give_back(engine, move, lease)
    elif move.stage is Stage.ARRIVING:
        raise SessionArrivingError(move.other)
    else:
        await _check_decided(move)
        await activate(engine, move, lease=lease)


async def check_staying(engine: Engine) -> None:
    """Raise if the session is moving away; a worker asks this each time it renews its lease."""
    move = await get_move(engine)
    if move is not None and move.stage is Stage.LEAVING:
        raise SessionLeavingError(move.other)
    if move is not None and move.stage in GONE:
        raise SessionMovedError(move.other)


async def activate(engine: Engine, move: Move, *, lease: Lease | None = None) -> None:
    """Remove the marker of a decided move from its target.

    Only under a lease, and only if it is still that marker: by now the session may be on its next
    move. Where somebody else holds the lease the marker stays; it does no harm.
    """
    if engine.capabilities.read_only:
        return
    if lease is None and "L3" in engine.capabilities.claims:
        try:
            lease = await engine.acquire(f"opening after move {move.id}", _ACTIVATION_S)
        except LeaseHeldError:
            return
        async with lease:
            await _drop(engine, move, lease)
    else:
        await _drop(engine, move, lease)


async def _drop(engine: Engine, move: Move, lease: Lease | None) -> None:
    if await get_move(engine) == move:
        await engine.apply(Batch().delete(MOVE_KEY), fence=lease)


async def _check_decided(move: Move) -> None:
    """Ask the source of a complete copy whether the move was decided."""
    try:
        async with await open_engine(move.other, read_only=True) as source:
            said = await get_move(source)
    except WaError as exc:
        reason = f"it is complete, but its source cannot be asked ({exc.code})"
        raise SessionArrivingError(move.other, reason) from exc
    if said is None or said.id != move.id or said.stage not in GONE:
        raise SessionArrivingError(move.other, "the source has not let it go")


async def _give_back(engine: Engine, move: Move, lease: Lease | None) -> None:
    """Put credentials back that were taken out of another tool's reach."""
    if move.creds is not None:
        batch = Batch().put(CREDS, move.creds)
        batch.put(MOVE_KEY, replace(move, creds=None).to_bytes())
        await engine.apply(batch, fence=lease)
