"""Ending a move that was begun and not decided, without finishing it.

Either the source stays the session, and what arrived is taken out of the target again. Or the
source is gone for good, and a target that is complete becomes the session. Whoever asks says which
of the two it is, and is refused where the stores themselves say otherwise.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from wa_core.errors import (
    CorruptRecordError,
    EngineConfigError,
    EngineUnavailableError,
    MoveConflictError,
    MoveStandsError,
    SessionMovedError,
)
from wa_core.migrate.cutover import Held
from wa_core.migrate.policy import OnConflict, Policy
from wa_core.migrate.progress import Listener, Phase, Progress
from wa_core.migrate.report import Report
from wa_core.migrate.scope import Scope
from wa_core.migrate.side import Side
from wa_core.migrate.standing import ON_CONFLICT, SCOPE
from wa_core.migrate.tenure import Patience, holder_of, kept
from wa_core.migrate.transfer import remove
from wa_core.state.moves import GONE, MOVE_KEY, Move, Stage, get_move
from wa_core.storage import Batch, Engine
from wa_core.storage.layouts import CREDS

_UNREADABLE = (CorruptRecordError, EngineConfigError, EngineUnavailableError)
"""What a store that is gone for good may answer; that a key is wrong is not among it."""
_NEVER = "if it comes back, never open it"

NOTHING = "nothing to abandon"


@dataclass(frozen=True, slots=True)
class Glance:
    """What a store says of itself."""

    move: Move | None = None
    creds: bool = False

    @property
    def is_session(self) -> bool:
        """Tell whether it would open, as the source of a move or of none."""
        return self.creds and (self.move is None or self.move.stage is Stage.LEAVING)

    @property
    def gone_to(self) -> str | None:
        """Where the session went, if it went."""
        return self.move.other if self.move is not None and self.move.stage in GONE else None


class Abandonment:
    """The end of an unfinished move between two stores."""

    def __init__(self, source: Side, target: Side, policy: Policy, listener: Listener) -> None:
        self._source = source
        self._target = target
        self._lease_s = policy.lease_s
        self._patience = Patience(policy.patience_s, listener)
        self._listener = listener
        self._holder = holder_of(secrets.token_hex(8))
        self._began = time.monotonic()

    async def give_up(self, *, dry_run: bool) -> Report:
        """Leave the session to the source, and take out of the target what arrived."""
        mine, its = await _glance(self._source), await _glance(self._target)
        self._check_stays(mine, its)
        arriving, leaving = self._arriving(its), self._leaving(mine)
        if arriving is None and leaving is None:
            return self._report(NOTHING)
        if dry_run:
            return self._report("would abandon", pruned=await self._count(arriving))
        async with AsyncExitStack() as ends:
            # Opening for writing would make what is not there.
            source, target = [
                None if found == Glance() else await ends.enter_async_context(self._held(side))
                for side, found in ((self._source, mine), (self._target, its))
            ]
            return await self._take_out(source, target)

    async def _take_out(self, source: Held | None, target: Held | None) -> Report:
        # Looked at once more: now nobody else can change it.
        mine = Glance() if source is None else await _glance_at(source.engine)
        its = Glance() if target is None else await _glance_at(target.engine)
        self._check_stays(mine, its)
        arriving = self._arriving(its)
        removed = 0
        if target is not None and arriving is not None:
            removed = await self._empty(target, arriving)
        if source is not None and self._leaving(mine) is not None:
            await source.write(Batch().delete(MOVE_KEY))
        return self._report("abandoned", pruned=removed, warnings=_notes(arriving))

    async def _empty(self, target: Held, arriving: Move) -> int:
        """Remove what arrived; from the first removal on the marker does not say `verified`."""
        await target.mark(replace(arriving, stage=Stage.ARRIVING))
        scope, removed = _arrived(arriving), 0
        total = await scope.count(target.engine)

        def done(number: int) -> None:
            nonlocal removed
            removed += number
            self._listener(Progress(Phase.REMOVING, removed, total))

        await remove(target.engine, scope, fence=target.lease, done=done)
        await target.write(Batch().delete(MOVE_KEY))
        return removed

    async def _count(self, arriving: Move | None) -> int:
        if arriving is None:
            return 0
        async with await self._target.open(read_only=True) as engine:
            return await _arrived(arriving).count(engine)

    def _check_stays(self, mine: Glance, its: Glance) -> None:
        """Raise if the session cannot be left to the source."""
        self._check_undecided(mine)
        arriving = self._arriving(its)
        whole = arriving is not None and arriving.stage is Stage.VERIFIED
        if whole and not mine.is_session and mine.gone_to is None:
            raise MoveStandsError(
                "the source has no session any more and the target has all of it",
                "keep that with --source-lost",
            )

    async def keep_target(self, *, dry_run: bool) -> Report:
        """Make a complete target the session, as its source is gone for good."""
        async with await self._target.open(read_only=True) as engine:
            report = await self._keep(Held(engine, None), dry_run=True)
        if dry_run or report.outcome == NOTHING:
            return report
        async with self._held(self._target) as target:
            return await self._keep(target, dry_run=False)

    async def _keep(self, target: Held, *, dry_run: bool) -> Report:
        arriving = self._arriving(await _glance_at(target.engine))
        if arriving is None:
            return self._report(NOTHING)
        if arriving.stage is not Stage.VERIFIED:
            raise MoveStandsError(
                "only a part of the session arrived",
                "it cannot be made whole; --on-conflict overwrite moves another one there",
            )
        reason = await self._why_lost()
        records = await _arrived(arriving).count(target.engine)
        if not dry_run:
            await target.write(Batch().delete(MOVE_KEY))
        outcome = "would keep the target" if dry_run else "kept the target"
        return self._report(outcome, records=records, warnings=(reason,))

    async def _why_lost(self) -> str:
        """Say why the source is no session, or raise because it is one, or knows where that is."""
        try:
            mine = await _glance(self._source)
        except _UNREADABLE as exc:
            return f"the source cannot be read ({exc.code}): {_NEVER}"
        self._check_undecided(mine)
        if mine.gone_to is not None:
            raise SessionMovedError(mine.gone_to)
        if mine.is_session:
            raise MoveStandsError(
                "the source can be read and is the session",
                "run that wa-migrate again, it finishes; or leave out --source-lost",
            )
        return f"the source has no session any more: {_NEVER}"

    def _check_undecided(self, mine: Glance) -> None:
        if mine.gone_to is not None and self._target.is_at(mine.gone_to):
            raise MoveStandsError(
                "it was decided and the target is the session",
                "run that wa-migrate again, it finishes",
            )

    def _arriving(self, its: Glance) -> Move | None:
        """Return the marker of what arrives from the source, or raise if it is not from there."""
        move = its.move
        if move is None or move.stage not in (Stage.ARRIVING, Stage.VERIFIED):
            return None
        if not self._source.is_at(move.other):
            found = f"an unfinished move from {move.other}"
            raise MoveConflictError(found, "name that as the source")
        return move

    def _leaving(self, mine: Glance) -> Move | None:
        """Return the marker of what leaves for the target."""
        move = mine.move
        if move is None or move.stage is not Stage.LEAVING or not self._target.is_at(move.other):
            return None
        return move

    @asynccontextmanager
    async def _held(self, side: Side) -> AsyncIterator[Held]:
        opened = await self._patience.for_opening(side.open, takeover=False)
        async with opened as engine:
            lease = await self._patience.for_lease(
                engine, self._holder, self._lease_s, announce=None
            )
            async with kept(lease):
                yield Held(engine, lease)

    def _report(
        self, outcome: str, *, records: int = 0, pruned: int = 0, warnings: tuple[str, ...] = ()
    ) -> Report:
        return Report(
            source=str(self._source),
            target=str(self._target),
            outcome=outcome,
            records=records,
            pruned=pruned,
            warnings=warnings,
            seconds=time.monotonic() - self._began,
        )


async def _glance(side: Side) -> Glance:
    """Look at a store without making what is not there."""
    try:
        async with await side.open(read_only=True) as engine:
            return await _glance_at(engine)
    except EngineConfigError as exc:
        if exc.setting != "nothing to read":
            raise
        return Glance()


async def _glance_at(engine: Engine) -> Glance:
    return Glance(await get_move(engine), await engine.get(CREDS) is not None)


def _arrived(arriving: Move) -> Scope:
    """Name what a move has put into its target: where it skipped, that is sure of keys alone."""
    if _skips(arriving):
        return Scope.of(["auth"])
    return Scope(tuple(arriving.detail.get(SCOPE, "").split(" ")))


def _notes(arriving: Move | None) -> tuple[str, ...]:
    if arriving is None or not _skips(arriving):
        return ()
    return ("contacts and chats that came to those of the target stay: nothing tells them apart",)


def _skips(arriving: Move) -> bool:
    return arriving.detail.get(ON_CONFLICT) == OnConflict.SKIP
