"""What the two stores say of earlier moves, and what follows for this one."""

from __future__ import annotations

from dataclasses import dataclass

from wa_core.errors import MoveConflictError, SessionArrivingError, SessionMovedError
from wa_core.migrate.cutover import Held
from wa_core.migrate.policy import OnConflict, Policy
from wa_core.migrate.side import Side
from wa_core.state.moves import GONE, Move, Stage, check_openable, get_move

SCOPE = "scope"
ON_CONFLICT = "on_conflict"
KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Standing:
    """How to treat what a target holds."""

    on_conflict: OnConflict
    resumed: bool = False
    """What is there was put by an earlier run of this same move."""


async def decided_move(source: Held, target: Side, policy: Policy) -> Move | None:
    """Return the marker of a move to `target` that was decided and needs finishing.

    None: the source is the session, as far as this move is concerned. Else an error says where the
    session is.
    """
    past = await get_move(source.engine)
    if not policy.scope.is_move:
        if past is not None and past.stage is Stage.ARRIVING:
            raise SessionArrivingError(past.other)
        return None
    if past is not None and past.stage in GONE and not policy.force:
        if not target.is_at(past.other):
            raise SessionMovedError(past.other)
        return past
    if past is None or past.stage not in GONE or not source.engine.capabilities.read_only:
        # What was moved away is given back its credentials by this, which a dry run cannot.
        await check_openable(source.engine, policy.force, lease=source.lease)
    return None


async def standing_of(target: Held, source: Side, policy: Policy) -> Standing:
    """Judge the target by its marker, or raise if another move has a claim on it."""
    its, fresh = await get_move(target.engine), Standing(policy.on_conflict)
    if its is None or its.stage in (Stage.LEAVING, Stage.SETTLED):
        return fresh
    if its.stage is Stage.MOVED:
        if source.is_at(its.other):
            return fresh  # it comes back, and the source was opened: that move is over
        found = f"what a move to {its.other} left behind"
        raise MoveConflictError(found, "run that wa-migrate again, it finishes; then come back")
    if not policy.scope.is_move:
        raise SessionArrivingError(its.other)
    if source.is_at(its.other):
        return _resumed(its, policy)
    if its.stage is Stage.VERIFIED and await _has_arrived(target):
        return fresh
    if policy.on_conflict is not OnConflict.OVERWRITE:
        found = f"an unfinished move from {its.other}"
        raise MoveConflictError(found, "finish that, or `wa-migrate abandon` it, or overwrite it")
    return fresh


def _resumed(its: Move, policy: Policy) -> Standing:
    if its.detail.get(SCOPE) != " ".join(policy.scope.prefixes):
        found = f"an unfinished move of other parts ({its.detail.get(SCOPE) or 'everything'})"
        raise MoveConflictError(found, "run that wa-migrate again, with the same --only")
    asked = policy.on_conflict
    if asked is OnConflict.REFUSE:
        # What is there was put by us, or it was agreed then what becomes of it.
        skips = its.detail.get(ON_CONFLICT) == OnConflict.SKIP
        asked = OnConflict.SKIP if skips else OnConflict.OVERWRITE
    return Standing(asked, resumed=True)


async def _has_arrived(target: Held) -> bool:
    try:
        await check_openable(target.engine, lease=target.lease)
    except SessionArrivingError:
        return False
    return True
