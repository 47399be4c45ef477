"""What lies in the target already: refused, overwritten, left, or of an earlier run."""

from __future__ import annotations

import pytest
from migrate_bench.sample import fill, held, opens
from migrate_bench.small import RECORDS, Interference, at
from wa_core.errors import (
    MoveConflictError,
    UsageError,
)
from wa_core.migrate import Phase, copy


async def test_other_records_in_the_target_are_refused_before_anything_is_written(
    source: str, target: str
) -> None:
    await fill(source, RECORDS)
    await fill(target, {"chat/1/index": b"another"})
    before = await held(target)

    for dry_run in (True, False):
        with pytest.raises(MoveConflictError):
            await copy(source, target, dry_run=dry_run)

    assert await held(target) == before
    assert await opens(source)


async def test_overwriting_makes_the_target_what_the_source_is(source: str, target: str) -> None:
    await fill(source, RECORDS)
    await fill(target, {"session/creds": b"another", "chat/2/index": b"y", "chat": b"above all"})
    before = await held(source)

    report = await copy(source, target, on_conflict="overwrite")

    assert await held(target) == before
    assert report.pruned == 2


async def test_skipping_leaves_what_the_target_has(source: str, target: str) -> None:
    await fill(source, RECORDS)
    await fill(target, {"chat/1/index": b"another", "chat/2/index": b"y"})

    report = await copy(source, target, on_conflict="skip")

    there = await held(target)
    assert there["chat/1/index"][0] == b"another"
    assert set(there) == {*RECORDS, "chat/2/index"}
    assert report.skipped == 1


async def test_a_policy_that_there_is_none_of_is_refused(source: str, target: str) -> None:
    with pytest.raises(UsageError, match="refuse, overwrite, skip"):
        await copy(source, target, on_conflict="replace")


async def test_two_auth_states_are_never_mixed(source: str, target: str) -> None:
    await fill(source, RECORDS)
    await fill(target, {"session/pre-key/9": b"of another device"})

    with pytest.raises(MoveConflictError, match="half of each"):
        await copy(source, target, on_conflict="skip")


async def test_an_interrupted_skip_still_skips_when_it_goes_on(source: str, target: str) -> None:
    await fill(source, RECORDS)
    await fill(target, {"chat/2/index": b"y"})
    with pytest.raises(Interference):
        await copy(source, target, on_conflict="skip", listener=at(Phase.DECIDING))

    await copy(source, target)

    assert "chat/2/index" in await held(target)


async def test_an_unfinished_move_of_somebody_else_is_no_empty_place(
    source: str, target: str
) -> None:
    other = f"{source}-other"
    await fill(source, RECORDS)
    await fill(other, RECORDS)
    with pytest.raises(Interference):
        await copy(other, target, listener=at(Phase.VERIFYING))

    with pytest.raises(MoveConflictError, match="unfinished"):
        await copy(source, target)
    await copy(source, target, on_conflict="overwrite")

    assert (await opens(source), await opens(target), await opens(other)) == (False, True, True)
