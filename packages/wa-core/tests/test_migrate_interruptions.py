"""A migration that ends in the middle: which side opens then, and what the next run does."""

from __future__ import annotations

import asyncio

import pytest
from migrate_bench.sample import fill, held, opens
from migrate_bench.small import RECORDS, Interference, at
from wa_core.errors import (
    CorruptRecordError,
    EngineUnavailableError,
    MoveConflictError,
    SessionArrivingError,
    SessionMovedError,
    SourceChangedError,
    WaError,
)
from wa_core.migrate import Phase, Progress, copy
from wa_core.state.moves import (
    MOVE_KEY,
    Move,
    Stage,
    check_openable,
    get_move,
)
from wa_core.storage import (
    MemoryEngine,
    open_engine,
)


@pytest.mark.parametrize("phase", [Phase.LOOKING, Phase.COPYING, Phase.VERIFYING])
async def test_a_failure_before_the_decision_leaves_the_source_as_the_session(
    source: str, target: str, phase: Phase
) -> None:
    await fill(source, RECORDS)
    before = await held(source)

    with pytest.raises(Interference):
        await copy(source, target, listener=at(phase))

    assert (await opens(source), await opens(target)) == (True, False)
    async with await open_engine(source) as engine:
        assert await get_move(engine) is None
    assert (await copy(source, target)).outcome == "moved"
    assert await held(target) == before


@pytest.mark.parametrize("phase", [Phase.DECIDING, Phase.REMOVING])
async def test_a_failure_around_the_decision_is_finished_by_the_next_run(
    source: str, target: str, phase: Phase
) -> None:
    await fill(source, RECORDS)
    before = await held(source)

    with pytest.raises(Interference):
        await copy(source, target, listener=at(phase))

    decided = phase is Phase.REMOVING
    assert (await opens(source), await opens(target)) == (not decided, decided)
    report = await copy(source, target)
    assert report.outcome == ("finished" if decided else "moved")
    assert await held(target) == before
    assert await held(source) == {}


async def test_finishing_never_copies_over_what_the_session_did_since(
    source: str, target: str
) -> None:
    await fill(source, RECORDS)
    with pytest.raises(Interference):
        await copy(source, target, listener=at(Phase.REMOVING))
    async with await open_engine(target) as engine:
        await check_openable(engine)
        await engine.set("session/creds", b'{"newer":1}')

    report = await copy(source, target)

    assert (report.outcome, report.copied) == ("finished", 0)
    assert (await held(target))["session/creds"][0] == b'{"newer":1}'


async def test_a_target_that_lost_everything_keeps_the_source_from_being_removed(
    source: str, target: str
) -> None:
    await fill(source, RECORDS)
    with pytest.raises(Interference):
        await copy(source, target, listener=at(Phase.REMOVING))
    async with await open_engine(target) as engine:
        await engine.clear()

    with pytest.raises(WaError, match="holds nothing any more"):
        await copy(source, target)


async def test_an_interrupted_copy_goes_on_and_trusts_nothing_by_its_key(
    source: str, target: str
) -> None:
    await fill(source, RECORDS)
    with pytest.raises(Interference):
        await copy(source, target, listener=at(Phase.VERIFYING))
    async with await open_engine(source) as engine:
        await engine.set("session/creds", b'{"newer":1}', at=1)
        await engine.set("session/pre-key/1", None)
        await engine.set("chat/1/index", RECORDS["chat/1/index"], at=5)
    before = await held(source)

    report = await copy(source, target)

    assert await held(target) == before
    assert report.present > 0
    assert report.pruned == 1


async def test_a_source_that_moved_elsewhere_is_refused(source: str, target: str) -> None:
    await fill(source, RECORDS)
    await copy(source, target, keep_source=True)

    with pytest.raises(SessionMovedError):
        await copy(source, "memory:a-third")
    report = await copy(source, "memory:a-third", force=True)

    assert report.outcome == "moved"


async def test_a_half_arrived_target_is_no_source(source: str, target: str) -> None:
    await fill(source, RECORDS)
    with pytest.raises(Interference):
        await copy(source, target, listener=at(Phase.VERIFYING))

    with pytest.raises(SessionArrivingError):
        await copy(target, "memory:a-fourth")


async def test_a_complete_target_whose_source_let_go_moves_on(source: str, target: str) -> None:
    await fill(source, RECORDS)
    before = await held(source)
    with pytest.raises(Interference):
        await copy(source, target, listener=at(Phase.DECIDING))
    async with await open_engine(source) as engine:
        left = await get_move(engine)
        assert left is not None
        moved = Move(id=left.id, stage=Stage.MOVED, other=left.other, at=left.at)
        await engine.set(MOVE_KEY, moved.to_bytes())

    third = f"{target}-third"
    await copy(target, third)

    assert await held(third) == before
    with pytest.raises(MoveConflictError, match="run that wa-migrate again"):
        await copy(third, source)
    assert (await copy(source, target)).outcome == "finished"
    assert (await copy(third, source)).outcome == "moved"


async def test_a_worker_without_a_lease_is_noticed_before_anything_is_decided(
    source: str, target: str
) -> None:
    await fill(source, RECORDS)
    async with await open_engine(source) as engine:
        assert isinstance(engine, MemoryEngine)

        def write(progress: Progress) -> None:
            if progress.phase is Phase.VERIFYING and progress.done == progress.total:
                engine.store.put("session/creds", b'{"ratcheted":1}', None)

        with pytest.raises(SourceChangedError):
            await copy(source, target, listener=write)

        assert await get_move(engine) is None
    assert (await opens(source), await opens(target)) == (True, False)
    await copy(source, target)
    assert (await held(target))["session/creds"][0] == b'{"ratcheted":1}'


async def test_a_damaged_record_of_the_source_ends_the_run_with_nothing_decided(
    source: str, target: str
) -> None:
    await fill(source, RECORDS)
    async with await open_engine(source) as engine:
        assert isinstance(engine, MemoryEngine)
        engine.store.damage("session/creds")

        with pytest.raises(CorruptRecordError):
            await copy(source, target)

        assert await get_move(engine) is None
    assert not await opens(target)


async def test_a_source_that_falls_silent_ends_the_run_with_nothing_decided(
    source: str, target: str
) -> None:
    await fill(source, RECORDS)
    async with await open_engine(source) as engine:
        assert isinstance(engine, MemoryEngine)

        def stall(progress: Progress) -> None:
            if progress.phase is Phase.COPYING:
                engine.store.stall()

        with pytest.raises(EngineUnavailableError):
            await copy(f"{source}?timeout=0.05", target, listener=stall)

        engine.store.resume()
    assert (await opens(source), await opens(target)) == (True, False)


async def test_a_lost_lease_ends_the_run(source: str, target: str) -> None:
    await fill(source, RECORDS)
    async with await open_engine(source) as engine:
        assert isinstance(engine, MemoryEngine)

        def usurp(progress: Progress) -> None:
            if progress.phase is Phase.COPYING:
                engine.store.leases.release(engine.store.leases.epoch)
                engine.store.leases.grant("usurper", 60)

        with pytest.raises(WaError) as caught:
            await copy(source, target, listener=usurp)

    assert caught.value.code == "fenced"
    assert not await opens(target)


async def test_cancelling_takes_the_announcement_back_and_releases_both_leases(
    source: str, target: str
) -> None:
    await fill(source, RECORDS)
    reached = asyncio.Event()

    def notice(progress: Progress) -> None:
        if progress.phase is Phase.COPYING:
            reached.set()

    running = asyncio.ensure_future(copy(source, target, listener=notice))
    await reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    async with await open_engine(source) as engine, await engine.acquire("next", 1):
        assert await get_move(engine) is None
    async with await open_engine(target) as engine, await engine.acquire("next", 1):
        assert not await opens(target)
