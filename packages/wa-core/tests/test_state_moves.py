"""The marker of a move: which store opens, at every stage, and what it takes to open one anyway."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wa_core.errors import (
    CorruptRecordError,
    SessionArrivingError,
    SessionLeavingError,
    SessionMovedError,
    StoreVersionError,
)
from wa_core.state.moves import (
    MOVE_KEY,
    Move,
    Stage,
    check_openable,
    check_staying,
    get_move,
)
from wa_core.storage import Engine, open_engine
from wa_core.storage.layouts import CREDS

EXAMPLE = Move(id="77", stage=Stage.LEAVING, other="memory:elsewhere", at=5)


async def store(stage: Stage | None = None, other: str = "memory:elsewhere") -> Engine:
    """Make a store that a move has brought to `stage`."""
    engine = await open_engine(f"memory:{secrets.token_hex(8)}")
    await engine.set(CREDS, b"{}")
    if stage is not None:
        await mark(engine, stage, other)
    return engine


async def mark(engine: Engine, stage: Stage, other: str = "memory:elsewhere") -> None:
    await engine.set(MOVE_KEY, replace(EXAMPLE, stage=stage, other=other).to_bytes())


@given(
    st.builds(
        Move,
        id=st.text(),
        stage=st.sampled_from(Stage),
        other=st.text(),
        at=st.integers(0, 2**53 - 1),
        detail=st.dictionaries(st.text(), st.text()),
        creds=st.none() | st.binary(),
    )
)
def test_a_marker_reads_back_as_it_was_written(move: Move) -> None:
    assert Move.from_bytes(move.to_bytes()) == move


@pytest.mark.parametrize("stage", [None, Stage.LEAVING])
async def test_a_source_opens_until_the_move_is_decided(stage: Stage | None) -> None:
    async with await store(stage) as engine:
        await check_openable(engine)


@pytest.mark.parametrize("stage", [Stage.MOVED, Stage.SETTLED])
async def test_what_was_moved_away_says_where_it_is(stage: Stage) -> None:
    async with await store(stage) as engine:
        with pytest.raises(SessionMovedError) as caught:
            await check_openable(engine)

        assert caught.value.target == "memory:elsewhere"


async def test_force_opens_what_was_moved_away_and_the_next_time_needs_it_again() -> None:
    async with await store(Stage.MOVED) as engine:
        await check_openable(engine, force=True)

        with pytest.raises(SessionMovedError):
            await check_openable(engine)


async def test_force_gives_back_the_credentials_that_the_marker_held() -> None:
    async with await store() as engine:
        await engine.set(CREDS, None)
        held = replace(EXAMPLE, stage=Stage.MOVED, creds=b'{"me":1}')
        await engine.set(MOVE_KEY, held.to_bytes())

        await check_openable(engine, force=True)

        assert await engine.get(CREDS) == b'{"me":1}'
        assert await get_move(engine) == replace(held, creds=None)


@pytest.mark.parametrize("force", [False, True])
async def test_what_has_not_arrived_never_opens(force: bool) -> None:
    async with await store(Stage.ARRIVING) as engine:
        with pytest.raises(SessionArrivingError):
            await check_openable(engine, force=force)


@pytest.mark.parametrize("stage", [None, Stage.LEAVING])
async def test_a_complete_target_waits_for_its_source_to_let_go(stage: Stage | None) -> None:
    place = f"memory:{secrets.token_hex(8)}"
    async with await open_engine(place) as source, await store(Stage.VERIFIED, place) as target:
        if stage is not None:
            await mark(source, stage)

        with pytest.raises(SessionArrivingError, match="has not let it go"):
            await check_openable(target)


@pytest.mark.parametrize("stage", [Stage.MOVED, Stage.SETTLED])
async def test_a_complete_target_opens_once_its_source_has_let_go(stage: Stage) -> None:
    place = f"memory:{secrets.token_hex(8)}"
    async with await open_engine(place) as source, await store(Stage.VERIFIED, place) as target:
        await mark(source, stage)

        await check_openable(target)

        assert await get_move(target) is None


async def test_a_source_that_let_another_move_go_proves_nothing() -> None:
    place = f"memory:{secrets.token_hex(8)}"
    async with await open_engine(place) as source, await store(Stage.VERIFIED, place) as target:
        await source.set(MOVE_KEY, replace(EXAMPLE, id="78", stage=Stage.MOVED).to_bytes())

        with pytest.raises(SessionArrivingError):
            await check_openable(target)


async def test_a_source_that_cannot_be_asked_keeps_the_target_shut() -> None:
    async with await store(Stage.VERIFIED, "no-such-engine:there") as target:
        with pytest.raises(SessionArrivingError, match="cannot be asked"):
            await check_openable(target)


async def test_a_worker_that_holds_the_lease_opens_and_drops_the_marker_under_it() -> None:
    place = f"memory:{secrets.token_hex(8)}"
    async with await open_engine(place) as source, await store(Stage.VERIFIED, place) as target:
        await mark(source, Stage.MOVED)

        async with await target.acquire("worker", 60) as lease:
            await check_openable(target, lease=lease)

        assert await get_move(target) is None


async def test_a_marker_under_somebody_elses_lease_stays_and_the_session_opens() -> None:
    place = f"memory:{secrets.token_hex(8)}"
    async with await open_engine(place) as source, await store(Stage.VERIFIED, place) as target:
        await mark(source, Stage.MOVED)

        async with await target.acquire("somebody", 60):
            await check_openable(target)

        assert await get_move(target) is not None


@pytest.mark.parametrize(
    ("stage", "error"),
    [(Stage.LEAVING, SessionLeavingError), (Stage.MOVED, SessionMovedError)],
)
async def test_a_live_worker_learns_that_its_session_leaves(
    stage: Stage, error: type[Exception]
) -> None:
    async with await store() as engine:
        await check_staying(engine)
        await mark(engine, stage)

        with pytest.raises(error):
            await check_staying(engine)


async def test_a_worker_with_the_lease_takes_back_what_a_dead_run_announced() -> None:
    async with await store(Stage.LEAVING) as engine, await engine.acquire("worker", 60) as lease:
        await check_openable(engine)
        assert await get_move(engine) is not None

        await check_openable(engine, lease=lease)

        await check_staying(engine)
        assert await get_move(engine) is None


ODD_MARKERS = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"version": 1}',
    b"\xff",
    b"[" * 100_000,
    EXAMPLE.to_bytes().replace(b'"at": 5', b'"at": 1e999'),
    EXAMPLE.to_bytes().replace(b'"at": 5', b'"at": ' + b"5" * 5000),
    EXAMPLE.to_bytes().replace(b'"creds": null', b'"creds": "no base64"'),
]


@pytest.mark.parametrize("data", ODD_MARKERS, ids=range(len(ODD_MARKERS)))
async def test_an_unreadable_marker_never_counts_as_none(data: bytes) -> None:
    async with await store() as engine:
        await engine.set(MOVE_KEY, data)

        with pytest.raises(CorruptRecordError):
            await check_openable(engine, force=True)


async def test_a_marker_of_a_newer_version_is_refused() -> None:
    async with await store() as engine:
        await engine.set(MOVE_KEY, EXAMPLE.to_bytes().replace(b'"version": 1', b'"version": 2'))

        with pytest.raises(StoreVersionError):
            await check_openable(engine)


def test_held_credentials_show_in_no_repr() -> None:
    assert "hush" not in repr(replace(EXAMPLE, creds=b"hush"))
