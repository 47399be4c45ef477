"""Looking before the first byte is written: would everything fit, and is anything in the way?"""

from __future__ import annotations

from contextlib import aclosing

from wa_core.errors import CorruptRecordError, MoveConflictError, TargetUnfitError
from wa_core.migrate.layout import (
    Likeness,
    check_holds,
    is_still,
    keeps_positions,
    most_bytes,
    reads_marker,
)
from wa_core.migrate.policy import OnConflict
from wa_core.migrate.progress import Listener, Phase, Progress
from wa_core.migrate.scope import Scope
from wa_core.migrate.stream import Chunk, chunked
from wa_core.state.ledger import parse
from wa_core.storage import Durability, Engine
from wa_core.storage.layouts import CREDS

_LEVELS = [Durability.VOLATILE, Durability.PROCESS, Durability.POWER]


def warnings_for(source: Engine, target: Engine) -> tuple[str, ...]:
    """Say what the target keeps less well than the source does."""
    found = []
    mine, its = source.capabilities, target.capabilities
    if _LEVELS.index(its.durability) < _LEVELS.index(mine.durability):
        found.append(f"the target's durability is {its.durability}, the source's {mine.durability}")
    if keeps_positions(source) and not keeps_positions(target):
        found.append("the target keeps no positions: lists come in an order of its own")
    if "L3" not in mine.claims and not is_still(source):
        found.append("the source knows no leases: no other program may use it until this is done")
    return tuple(found)


async def check_credentials(source: Engine) -> None:
    """Raise `CorruptRecordError` for half a record: behind the move no side would open.

    An engine without checksums cannot tell, so it is asked here what any credentials are.
    """
    data = await source.get(CREDS)
    if data is not None and not isinstance(parse(CREDS, data), dict):
        raise CorruptRecordError(CREDS, "it is no object of JSON")


async def check_readable(source: Engine, scope: Scope, listener: Listener) -> None:
    """Read everything that is meant, as a move would: what is damaged ends that, too."""
    done, total = 0, await scope.count(source)
    async with aclosing(chunked(scope.scan(source))) as chunks:
        async for chunk in chunks:
            done += len(chunk)
            listener(Progress(Phase.LOOKING, done, total))


async def check_fits(source: Engine, target: Engine, scope: Scope, listener: Listener) -> None:
    """Raise `TargetUnfitError` if the target has no place for a record of the source."""
    if reads_marker(target) and target.capabilities.max_value >= await most_bytes(source):
        return
    nests = "K3" in target.capabilities.claims or "K3" not in source.capabilities.claims
    done, total = 0, await scope.count(source)
    async with aclosing(chunked(scope.scan(source))) as chunks:
        async for chunk in chunks:
            for entry in chunk:
                check_holds(target, entry)
            if not nests:
                await _check_flat(source, chunk)
            done += len(chunk)
            listener(Progress(Phase.LOOKING, done, total))


async def _check_flat(source: Engine, chunk: Chunk) -> None:
    """Raise if a record has records below it: a file cannot be a folder, too."""
    above = {
        entry.key[:at] for entry in chunk for at, letter in enumerate(entry.key) if letter == "/"
    }
    for key in await source.get_many(above):
        raise TargetUnfitError(f"it cannot keep a value of {key!r} and records below it")


async def check_conflicts(
    source: Engine, target: Engine, scope: Scope, on_conflict: OnConflict
) -> None:
    """Raise `MoveConflictError` for what is in the way and not provided for."""
    if on_conflict is OnConflict.OVERWRITE:
        return
    if on_conflict is OnConflict.SKIP:
        if scope.is_move and await target.count("session/"):
            raise MoveConflictError(
                "an auth state of its own", "half of each is no session: overwrite it or leave it"
            )
        return
    async with aclosing(chunked(scope.scan(target))) as chunks:
        async for chunk in chunks:
            conflict = await _first_conflict(source, chunk, Likeness(source, target))
            if conflict is not None:
                found = f"{await scope.count(target)} records, {conflict!r} among them"
                raise MoveConflictError(
                    f"{found}, which the source does not have like that",
                    "choose an empty place, or --on-conflict overwrite or skip",
                )


async def _first_conflict(source: Engine, chunk: Chunk, likeness: Likeness) -> str | None:
    wanted = await source.get_many(entry.key for entry in chunk)
    for entry in chunk:
        if entry.key not in wanted or likeness.differs(entry, wanted[entry.key]):
            return entry.key
    return None
