"""A move that is given up: the source stays the session, and what arrived is removed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from migrate_bench.places import empty_place
from migrate_bench.sample import fill, held, opens
from migrate_bench.small import ON_DISK, RECORDS, Interference, at, begun, emptied, marker
from wa_core.errors import (
    EngineUnavailableError,
    LeaseHeldError,
    MoveConflictError,
    MoveStandsError,
)
from wa_core.migrate import NOTHING, Phase, abandon, copy
from wa_core.state.moves import MOVE_KEY, Stage
from wa_core.storage import MemoryEngine, open_engine


@pytest.mark.parametrize("until", [Phase.VERIFYING, Phase.DECIDING])
async def test_what_arrived_is_removed_and_the_next_move_finds_an_empty_place(
    source: str, target: str, until: Phase
) -> None:
    await begun(source, target, until=until)
    before = await held(source)

    report = await abandon(source, target)

    assert (report.outcome, report.pruned) == ("abandoned", len(RECORDS))
    assert (await marker(source), await marker(target)) == (None, None)
    assert (await held(source), await held(target)) == (before, {})
    assert (await opens(source), await opens(target)) == (True, False)
    assert (await copy(f"{source}", target)).outcome == "moved"


@pytest.mark.parametrize(("first", "second"), ON_DISK)
async def test_files_hold_no_more_than_before(tmp_path: Path, first: str, second: str) -> None:
    source, target = (empty_place(kind, str, tmp_path) for kind in (first, second))
    records = {"session/creds": b'{"me":{"id":"1"}}', "session/pre-key/1": b"{}"}
    await begun(source, target, records)
    before = await held(source)

    await abandon(source, target)

    assert (await held(source), await held(target)) == (before, {})
    assert await opens(source)


async def test_a_dry_run_tells_how_much_would_be_removed_and_changes_nothing(
    source: str, target: str
) -> None:
    await begun(source, target)
    before = await marker(source), await marker(target), await held(target)

    report = await abandon(source, target, dry_run=True)

    assert (report.outcome, report.pruned) == ("would abandon", len(RECORDS))
    assert (await marker(source), await marker(target), await held(target)) == before


async def test_a_part_that_was_moved_is_all_that_is_removed(source: str, target: str) -> None:
    await fill(source, RECORDS)
    await fill(target, {"contact/2@s.whatsapp.net/index": b"of the target"})
    with pytest.raises(Interference):
        await copy(source, target, only=["auth"], listener=at(Phase.DECIDING))

    await abandon(source, target)

    assert set(await held(target)) == {"contact/2@s.whatsapp.net/index"}


async def test_what_the_target_had_is_never_removed_where_the_move_skipped_it(
    source: str, target: str
) -> None:
    await fill(target, {"chat/1/index": b"of the target", "chat/2/index": b"too"})
    await begun(source, target, on_conflict="skip")

    report = await abandon(source, target)

    after = await held(target)
    assert after["chat/1/index"][0] == b"of the target"
    assert not any(key.startswith("session/") for key in after)
    assert "chats" in report.warnings[0]
    assert not await opens(target)


async def test_stopped_in_the_middle_it_goes_on_and_the_target_is_complete_no_more(
    source: str, target: str
) -> None:
    await begun(source, target)
    with pytest.raises(Interference):
        await abandon(source, target, listener=at(Phase.REMOVING))

    left = await marker(target)
    assert left is not None
    assert left.stage is Stage.ARRIVING
    assert (await opens(source), await opens(target)) == (True, False)
    assert (await abandon(source, target)).outcome == "abandoned"
    assert await marker(target) is None


async def test_an_announcement_alone_is_taken_back_and_the_target_left_alone(
    source: str, target: str
) -> None:
    await begun(source, target)
    await emptied(target)
    await fill(target, {"session/creds": b"of another session"})

    assert (await abandon(source, target)).pruned == 0

    assert await marker(source) is None
    assert await opens(target)


async def test_an_announcement_is_taken_back_where_the_target_was_never_made(
    tmp_path: Path,
) -> None:
    source, target = (empty_place("file", str, tmp_path) for _ in range(2))
    await begun(source, target)
    place = Path(target.removeprefix("file:").removesuffix("#bot"))
    shutil.rmtree(place)

    assert (await abandon(source, target)).outcome == "abandoned"

    assert await marker(source) is None
    assert not place.exists()


async def test_two_stores_without_a_move_are_left_alone(source: str, target: str) -> None:
    await fill(source, RECORDS)
    await fill(target, RECORDS)

    for source_lost in (False, True):
        report = await abandon(source, target, source_lost=source_lost)
        assert report.outcome == NOTHING

    assert (len(await held(source)), len(await held(target))) == (len(RECORDS), len(RECORDS))


async def test_a_decided_move_stands(source: str, target: str) -> None:
    await begun(source, target)
    left = await marker(source)
    assert left is not None
    async with await open_engine(source) as engine:
        await engine.set(MOVE_KEY, replace(left, stage=Stage.MOVED).to_bytes())

    for source_lost in (False, True):
        with pytest.raises(MoveStandsError, match="decided"):
            await abandon(source, target, source_lost=source_lost)

    assert (await copy(source, target)).outcome == "finished"


async def test_the_move_of_another_source_is_not_touched(source: str, target: str) -> None:
    await begun(f"{source}-other", target)
    await fill(source, RECORDS)

    for source_lost in (False, True):
        with pytest.raises(MoveConflictError, match="name that as the source"):
            await abandon(source, target, source_lost=source_lost)

    assert (await copy(f"{source}-other", target)).outcome == "moved"


@pytest.mark.parametrize("side", ["source", "target"])
async def test_who_holds_one_of_the_two_is_named(source: str, target: str, side: str) -> None:
    await begun(source, target)
    before = await held(target)

    url = {"source": source, "target": target}[side]
    async with await open_engine(url) as engine, await engine.acquire("worker 7", 60):
        with pytest.raises(LeaseHeldError, match="worker 7"):
            await abandon(source, target)

    assert await held(target) == before


async def test_half_of_a_session_whose_source_was_emptied_can_be_given_up(
    source: str, target: str
) -> None:
    await begun(source, target, until=Phase.VERIFYING)
    await emptied(source)

    assert (await abandon(source, target)).outcome == "abandoned"

    assert (await marker(target), await held(target)) == (None, {})


async def test_all_of_a_session_whose_source_was_emptied_is_kept(source: str, target: str) -> None:
    await begun(source, target)
    await emptied(source)
    before = await held(target)

    with pytest.raises(MoveStandsError, match="--source-lost"):
        await abandon(source, target)

    assert await held(target) == before


async def test_a_source_that_does_not_answer_is_no_source_that_stays(
    source: str, target: str
) -> None:
    await begun(source, target, until=Phase.VERIFYING)
    async with await open_engine(source) as engine:
        assert isinstance(engine, MemoryEngine)
        engine.store.stall()

        with pytest.raises(EngineUnavailableError):
            await abandon(f"{source}?timeout=0.05", target)

        engine.store.resume()
    assert len(await held(target)) == len(RECORDS)
