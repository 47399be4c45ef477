"""The writes that say where the session is: few, each atomic, and in the one order that is safe.

    1  source  leaving    from here a live worker stops; the source still opens
    2  target  arriving   from here the target does not open
    3  target  verified   complete; it opens once its source says moved
    4  source  MOVED      the decision: one batch, under the source's lease
    5  target  (none)     it opens by itself
    6  source  settled    after its records are removed, or kept

A crash between any two leaves one side that opens: up to 3 the source, from 4 on the target.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from wa_core.errors import WaError
from wa_core.migrate.layout import reads_marker
from wa_core.state.moves import MOVE_KEY, Move, Stage, get_move
from wa_core.storage import Batch, Engine, Lease
from wa_core.storage.layouts import CREDS


@dataclass(frozen=True, slots=True)
class Held:
    """An open store, and the lease under which it is written; None where it knows no leases."""

    engine: Engine
    lease: Lease | None

    async def write(self, batch: Batch) -> None:
        """Apply a batch under the lease."""
        await self.engine.apply(batch, fence=self.lease)

    async def mark(self, move: Move) -> None:
        """Write the marker."""
        await self.write(Batch().put(MOVE_KEY, move.to_bytes()))


async def retract(source: Held, move: Move) -> None:
    """Take an announcement back: nothing was decided. A marker that stays does no harm."""
    with suppress(WaError):
        found = await get_move(source.engine)
        if found is not None and found.id == move.id and found.stage is Stage.LEAVING:
            await source.write(Batch().delete(MOVE_KEY))


async def decide(source: Held, leaving: Move) -> Move:
    """Give the session away, and return the marker that says so.

    Another tool does not read markers: the credentials leave its reach in the same batch. The
    marker comes first in it, for layouts whose batches are not atomic.
    """
    moved = replace(leaving, stage=Stage.MOVED)
    batch = Batch()
    if not reads_marker(source.engine):
        moved = replace(moved, creds=await source.engine.get(CREDS))
        batch.put(MOVE_KEY, moved.to_bytes()).delete(CREDS)
    else:
        batch.put(MOVE_KEY, moved.to_bytes())
    await source.write(batch)
    return moved


async def settle(source: Held, moved: Move, *, kept: bool) -> None:
    """Remember that the target was told; the held credentials go, unless a copy is kept."""
    creds = moved.creds if kept else None
    await source.mark(replace(moved, stage=Stage.SETTLED, creds=creds))
