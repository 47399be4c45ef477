"""The dry run: everything that could be refused is looked at, and nothing is written anywhere."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

from wa_core.errors import EngineConfigError, NoSessionError
from wa_core.migrate.cutover import Held
from wa_core.migrate.policy import Policy
from wa_core.migrate.progress import Listener
from wa_core.migrate.report import Report
from wa_core.migrate.side import Side
from wa_core.migrate.standing import decided_move, standing_of
from wa_core.migrate.survey import (
    check_conflicts,
    check_credentials,
    check_fits,
    check_readable,
    warnings_for,
)
from wa_core.storage import Engine


async def rehearse(source: Side, target: Side, policy: Policy, listener: Listener) -> Report:
    """Tell what a run would do, or raise what it would raise.

    Both stores are opened for reading, so nothing shows whether somebody works on them.
    """
    scope = policy.scope
    async with AsyncExitStack() as ends:
        mine = await ends.enter_async_context(await source.open(read_only=True))
        report = Report(
            source=str(source),
            target=str(target),
            outcome="would move" if scope.is_move else "would copy",
            kept=policy.keep_source,
        )
        if not await mine.count():
            raise NoSessionError
        if await decided_move(Held(mine, None), target, policy) is not None:
            return replace(report, outcome="would finish")
        if scope.is_move:
            await check_credentials(mine)
        await check_readable(mine, scope, listener)
        report = replace(report, records=await scope.count(mine))
        its = await _target(target, ends)
        if its is None:
            return replace(report, warnings=("the target does not exist yet: it would be made",))
        standing = await standing_of(Held(its, None), source, policy)
        if not standing.resumed:
            await check_conflicts(mine, its, scope, standing.on_conflict)
        await check_fits(mine, its, scope, listener)
        there = await scope.count(its)
        return replace(report, present=there, warnings=warnings_for(mine, its))


async def _target(target: Side, ends: AsyncExitStack) -> Engine | None:
    try:
        return await ends.enter_async_context(await target.open(read_only=True))
    except EngineConfigError as exc:
        if exc.setting != "nothing to read":
            raise
        return None
