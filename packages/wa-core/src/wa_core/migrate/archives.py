"""Archives as the sides of a migration.

Into an archive: the session is held, the archive written and proven from the disk, then one write
decides, as with any store; the marker lies in a file beside it. Such an archive is its session's
last state. Out of one that is: a move as any other, which marks the archive as spent. Out of any
other: a restore, which leaves the archive as it is, and the ratchets behind.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from functools import cached_property

from wa_core.archive import (
    SCHEME,
    About,
    ArchivePlace,
    ArchiveTarget,
    MarkerFile,
    open_archive,
    prove,
)
from wa_core.crypto.derivation import STRONG, Cost
from wa_core.errors import MoveConflictError, UsageError
from wa_core.migrate.cutover import Held
from wa_core.migrate.digest import Digest
from wa_core.migrate.policy import OnConflict, Policy
from wa_core.migrate.progress import Listener, Phase, Progress
from wa_core.migrate.rebirth import Reborn, comes_back
from wa_core.migrate.report import Report
from wa_core.migrate.run import Migration
from wa_core.migrate.side import Side
from wa_core.migrate.standing import Standing
from wa_core.state.moves import GONE, MOVE_KEY, Move, Stage
from wa_core.storage import Batch, Engine, EngineUrl, Entry

REWIND = "rewind the ratchets"
"""What has to be typed before ratchets of an ordinary archive are restored."""
REWIND_BREAKS = (
    "Every conversation goes back to where it stood when this archive was taken. What was received "
    "since cannot be decrypted again, what is sent uses keys a second time: peers drop it, and who "
    "recorded both can read more than they should. Do this only if the session has not been "
    "connected since, anywhere."
)


def is_archive_url(url: str) -> bool:
    """Tell whether a URL names an archive."""
    return EngineUrl.parse(url).scheme == SCHEME


@dataclass(frozen=True, slots=True, repr=False)
class NewArchive(Side):
    """An archive that a session is moved into, or a part copied."""

    about: About
    overwrite: bool
    cost: Cost = STRONG

    async def open(self, *, read_only: bool = False) -> Engine:
        """Open what is to be filled, or with `read_only` what has been."""
        if read_only:
            return await Side.open(self, read_only=True)
        place = ArchivePlace.of(EngineUrl.parse(self.url))
        self._check_free(place.path)
        return ArchiveTarget(place.path, await place.secret(), self.about, cost=self.cost)

    def _check_free(self, path: str) -> None:
        if self.overwrite or not os.path.lexists(path):
            return
        data = MarkerFile(path).read()
        if data is None or Move.from_bytes(data).stage not in (Stage.ARRIVING, Stage.VERIFIED):
            raise MoveConflictError("another archive", "an archive has a name of its own")


@dataclass(frozen=True, slots=True, repr=False)
class OldArchive(Side):
    """An archive that a session is moved or restored from; it was proven before."""

    records: int
    """How many of its records come back."""
    is_last: bool
    """It is the last state of its session, and nobody went on from it."""
    ratchets: bool
    spent: bool
    """A session went on from here, once."""

    async def open(self, *, read_only: bool = False) -> Engine:
        """Open what comes back; for writing, the marker can be written."""
        place = ArchivePlace.of(EngineUrl.parse(self.url))
        moving = self.is_last and not read_only
        secret = await place.secret()
        engine = await open_archive(place.path, secret, timeout=place.timeout, moving=moving)
        if self.is_last:
            return engine
        return Reborn(engine, records=self.records, ratchets=self.ratchets, hides_marker=self.spent)


def new_archive(url: str, source: Side, policy: Policy, cost: Cost = STRONG) -> NewArchive:
    """Describe the archive that a session goes into."""
    about = About(
        session=EngineUrl.parse(source.url).session or "",
        source=source.record,
        taken_at=time.time_ns() // 1000,
        last_state=policy.scope.is_move,
        scope=policy.scope.prefixes,
    )
    return NewArchive(url, about, policy.on_conflict is OnConflict.OVERWRITE, cost)


async def old_archive(url: str, rewind: str, listener: Listener) -> OldArchive:
    """Prove an archive whole before anything is written, and judge what may come back of it."""
    if rewind not in ("", REWIND):
        raise UsageError(f"to restore ratchets, confirm it with {REWIND!r}. {REWIND_BREAKS}")
    place = ArchivePlace.of(EngineUrl.parse(url))
    done = kept = 0

    def heard(records: int) -> None:
        nonlocal done
        done += records
        listener(Progress(Phase.LOOKING, done))

    def seen(entry: Entry) -> None:
        nonlocal kept
        kept += comes_back(entry.key)

    found = await prove(place.path, await place.secret(), heard=heard, seen=seen)
    data = MarkerFile(place.path).read()
    stage = None if data is None else Move.from_bytes(data).stage
    # A move out of it that has to be finished still is one; later it is an archive as any other.
    is_last = found.about.last_state and stage is not Stage.SETTLED
    ratchets = is_last or rewind == REWIND
    records = found.records if ratchets else kept
    return OldArchive(url, records, is_last, ratchets, stage in GONE)


class Restoration(Migration):
    """A session begun anew from an archive, which stays what it is."""

    async def run(self) -> Report:
        """Restore, and say what did not come back."""
        found = await super().run()
        if not self._scope.is_move:
            return found
        told = () if self._rewinds else (LEFT_BEHIND,)
        return replace(found, outcome="restored", kept=True, warnings=(*told, *found.warnings))

    @cached_property
    def _rewinds(self) -> bool:
        return isinstance(self._source, OldArchive) and self._source.ratchets

    async def _move(self, source: Held, target: Held, standing: Standing) -> Digest:
        """Fill the target behind its marker; that this goes is what decides."""
        arriving = self._marker(Stage.ARRIVING, self._source, standing.on_conflict)
        await target.mark(arriving)
        digest = await self._fill(source, target, standing)
        self._listener(Progress(Phase.DECIDING))
        await target.write(Batch().delete(MOVE_KEY))
        return digest


LEFT_BEHIND = (
    "ratchets and pre-keys stayed in the archive: conversations are set up anew with their next "
    "message, and new pre-keys are offered at the next connect"
)
