"""One migration from beginning to end: open, hold, look, copy, prove, decide, clear away.

What may fail fails before the decision and leaves the source as the session; what is left to do
after it is done by running the same command again.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import replace

from wa_core.errors import (
    LeaseHeldError,
    MoveMismatchError,
    NoSessionError,
    SourceChangedError,
    UsageError,
)
from wa_core.migrate.cutover import Held, decide, retract
from wa_core.migrate.digest import Digest
from wa_core.migrate.finish import clear_away, tell_target
from wa_core.migrate.layout import complete
from wa_core.migrate.policy import OnConflict, Policy
from wa_core.migrate.progress import Listener, Phase, Progress
from wa_core.migrate.report import Report
from wa_core.migrate.side import Side
from wa_core.migrate.standing import KEEP, ON_CONFLICT, SCOPE, Standing, decided_move, standing_of
from wa_core.migrate.survey import check_conflicts, check_credentials, check_fits, warnings_for
from wa_core.migrate.tenure import Patience, holder_of, kept
from wa_core.migrate.transfer import Tally, Transfer
from wa_core.migrate.verification import check_contained, compare, pulse
from wa_core.state.moves import MOVE_KEY, Move, Stage, get_move
from wa_core.storage import Batch, Lease

SAME_PLACE = "source and target are the same store"


class Migration:
    """One run of wa-migrate on one session."""

    def __init__(self, source: Side, target: Side, policy: Policy, listener: Listener) -> None:
        if source.is_at(target.record):
            raise UsageError(SAME_PLACE)
        self._source = source
        self._target = target
        self._policy = policy
        self._scope = policy.scope
        self._listener = listener
        self._patience = Patience(policy.patience_s, listener)
        self._id = secrets.token_hex(8)
        self._began = time.monotonic()
        self._tally = Tally()

    async def run(self) -> Report:
        """Move or copy, and return what came of it."""
        await self._check_source_is_there()
        opened = await self._patience.for_opening(self._source.open, takeover=self._policy.takeover)
        async with opened as engine:
            lease = await self._source_lease(Held(engine, None))
            async with kept(lease):
                source = Held(engine, lease)
                moved = await decided_move(source, self._target, self._policy)
                if moved is None:
                    return await self._with_target(source)
                await tell_target(self._target, moved, self._patience, self._policy.lease_s)
                self._tally.removed = await clear_away(source, moved, self._scope, self._listener)
                return self._report("finished", kept_source=KEEP in moved.detail)

    async def _check_source_is_there(self) -> None:
        """Look before opening for writing, which makes what is not there."""
        async with await self._source.open(read_only=True) as engine:
            if not await engine.count():
                raise NoSessionError

    async def _source_lease(self, source: Held) -> Lease | None:
        leaving = self._marker(Stage.LEAVING, self._target)

        async def announce() -> None:
            past = await get_move(source.engine)
            if past is None or past.stage is Stage.LEAVING:
                await source.mark(leaving)

        asks = self._policy.takeover
        try:
            return await self._patience.for_lease(
                source.engine,
                holder_of(self._id),
                self._policy.lease_s,
                announce=announce if asks else None,
            )
        except BaseException:
            if asks:
                await retract(source, leaving)
            raise

    async def _with_target(self, source: Held) -> Report:
        opened = await self._patience.for_opening(self._target.open, takeover=False)
        async with opened as engine:
            try:
                lease = await self._patience.for_lease(
                    engine, holder_of(self._id), self._policy.lease_s, announce=None
                )
            except LeaseHeldError as exc:
                if exc.holder == holder_of(self._id):
                    raise UsageError(SAME_PLACE) from None
                raise
            async with kept(lease):
                return await self._between(source, Held(engine, lease))

    async def _between(self, source: Held, target: Held) -> Report:
        """Look at what both sides hold, then do what was asked for."""
        self._listener(Progress(Phase.LOOKING))
        standing = await standing_of(target, self._source, self._policy)
        if self._scope.is_move:
            await check_credentials(source.engine)
        if not standing.resumed:
            await check_conflicts(source.engine, target.engine, self._scope, standing.on_conflict)
        await check_fits(source.engine, target.engine, self._scope, self._listener)
        warnings = warnings_for(source.engine, target.engine)
        if self._scope.is_move:
            digest = await self._move(source, target, standing)
        else:
            digest = await self._fill(source, target, standing)
        report = self._report(
            "moved" if self._scope.is_move else "copied",
            kept_source=self._scope.is_move and self._policy.keep_source,
        )
        return replace(
            report,
            records=digest.records,
            size=digest.size,
            digest=digest.hexdigest(),
            warnings=warnings,
        )

    async def _move(self, source: Held, target: Held, standing: Standing) -> Digest:
        leaving = self._marker(Stage.LEAVING, self._target, standing.on_conflict)
        arriving = self._marker(Stage.ARRIVING, self._source, standing.on_conflict)
        await source.mark(leaving)
        try:
            its = await get_move(target.engine)
            if its is not None and its.id == self._id:
                raise UsageError(SAME_PLACE)
            await target.mark(arriving)
            digest = await self._fill(source, target, standing)
            await target.mark(replace(arriving, stage=Stage.VERIFIED))
        except BaseException:
            await retract(source, leaving)
            raise
        # From here a marker that is not taken back does no harm, and one taken back late might.
        self._listener(Progress(Phase.DECIDING))
        moved = await decide(source, leaving)
        await target.write(Batch().delete(MOVE_KEY))
        self._tally.removed = await clear_away(source, moved, self._scope, self._listener)
        return digest

    async def _fill(self, source: Held, target: Held, standing: Standing) -> Digest:
        """Copy, and prove from fresh connections that both sides are equal."""
        transfer = Transfer(
            source.engine,
            target.engine,
            self._scope,
            fence=target.lease,
            listener=self._listener,
            tally=self._tally,
        )
        skips = standing.on_conflict is OnConflict.SKIP
        there = await self._scope.count(target.engine) > 0
        if there and standing.on_conflict is OnConflict.OVERWRITE:
            await transfer.prune()
        digest = await transfer.copy(compare=there, replace=not skips)
        await complete(target.engine)
        before = await pulse(source.engine)
        if skips:
            await self._prove_contained(digest)
        else:
            await self._prove_equal(digest, transfer)
        if await pulse(source.engine) != before:
            raise SourceChangedError
        return digest

    async def _prove_contained(self, sent: Digest) -> None:
        found = await check_contained(self._source, self._target, self._scope, self._tally.skipped)
        if found != sent:
            raise SourceChangedError

    async def _prove_equal(self, sent: Digest, transfer: Transfer) -> None:
        for last_try in (False, True):
            found = await compare(self._source, self._target, self._scope, self._listener)
            if found.source != sent:
                raise SourceChangedError
            if found.is_equal:
                return
            if last_try:
                arrived = found.target.records
                raise MoveMismatchError(f"{sent.records} records were sent, {arrived} arrived")
            # What was there already with the same value may lie at another position.
            await transfer.repair(found.differing)

    def _marker(
        self, stage: Stage, other: Side, on_conflict: OnConflict = OnConflict.REFUSE
    ) -> Move:
        detail = {SCOPE: " ".join(self._scope.prefixes), ON_CONFLICT: on_conflict.value}
        if self._policy.keep_source:
            detail[KEEP] = "yes"
        at = time.time_ns() // 1000
        return Move(id=self._id, stage=stage, other=other.record, at=at, detail=detail)

    def _report(self, outcome: str, *, kept_source: bool) -> Report:
        return Report(
            source=str(self._source),
            target=str(self._target),
            outcome=outcome,
            copied=self._tally.copied,
            present=self._tally.present,
            skipped=self._tally.skipped,
            pruned=self._tally.pruned,
            removed=self._tally.removed,
            kept=kept_source,
            seconds=time.monotonic() - self._began,
        )
