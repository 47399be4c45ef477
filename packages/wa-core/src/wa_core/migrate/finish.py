"""What is left to do once a move is decided; all of it may be done again, by another run."""

from __future__ import annotations

from wa_core.errors import MoveMismatchError
from wa_core.migrate.cutover import Held, settle
from wa_core.migrate.progress import Listener, Phase, Progress
from wa_core.migrate.scope import Scope
from wa_core.migrate.side import Side
from wa_core.migrate.standing import KEEP
from wa_core.migrate.tenure import Patience, holder_of, kept
from wa_core.migrate.transfer import remove
from wa_core.state.moves import Move, Stage, activate, get_move

_WAITING = (Stage.ARRIVING, Stage.VERIFIED)


async def tell_target(target: Side, moved: Move, patience: Patience, lease_s: float) -> None:
    """Make sure that the target knows it is the session, or raise if it is not.

    Called when an earlier run decided: by now a worker may have opened the target, and that is as
    good. Nothing is removed from the source before this returns.
    """
    async with await target.open(read_only=True) as engine:
        its, number = await get_move(engine), await engine.count()
    if its is None and not number:
        raise MoveMismatchError("the target holds nothing any more; open what is left with force")
    if its is None or its.stage not in _WAITING:
        return
    if its.id != moved.id or its.stage is not Stage.VERIFIED:
        raise MoveMismatchError(f"since then, a move from {its.other} has begun to fill the target")
    async with await target.open() as engine:
        lease = await patience.for_lease(engine, holder_of(moved.id), lease_s, announce=None)
        async with kept(lease):
            await activate(engine, its, lease=lease)


async def clear_away(source: Held, moved: Move, scope: Scope, listener: Listener) -> int:
    """Remove the records of a source whose target was told, and return their number."""
    kept = KEEP in moved.detail
    removed = 0
    if not kept:
        total = await scope.count(source.engine)

        def done(number: int) -> None:
            nonlocal removed
            removed += number
            listener(Progress(Phase.REMOVING, removed, total))

        await remove(source.engine, scope, fence=source.lease, done=done)
    if moved.stage is not Stage.SETTLED:
        await settle(source, moved, kept=kept)
    return removed
