"""Sessions that move into archives and out of them: at every moment exactly one side opens."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from archive_bench.made import KEY, VARIABLE, entries, url_of, write_archive
from migrate_bench.sample import fill, held, opens
from migrate_bench.small import RECORDS, Interference, at, marker
from wa_core.backup import create, restore, verify
from wa_core.errors import (
    MoveConflictError,
    NoSessionError,
    SessionArrivingError,
    SessionMovedError,
    UsageError,
)
from wa_core.migrate import Mark, Phase, check, copy
from wa_core.state.moves import Stage
from wa_core.storage import open_engine

PHASES = [Phase.LOOKING, Phase.COPYING, Phase.VERIFYING, Phase.DECIDING, Phase.REMOVING]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the key of all archives where their URLs say it is."""
    monkeypatch.setenv(VARIABLE, KEY)


@pytest.fixture
def archive(tmp_path: Path) -> str:
    """Name an archive that is not there yet."""
    return url_of(tmp_path / "a.wa")


async def test_a_session_moves_into_an_archive_and_out_again_with_everything(
    source: str, target: str, archive: str
) -> None:
    await fill(source, RECORDS)
    before = await held(source)

    into = await copy(source, archive)
    proof = await verify(archive)
    assert (into.outcome, into.records, proof.records) == ("moved", len(RECORDS), len(RECORDS))
    assert proof.about.last_state
    assert await held(archive) == before
    assert (await opens(source), await opens(archive)) == (False, True)

    out = await copy(archive, target)
    assert (out.outcome, out.digest) == ("moved", into.digest)
    assert await held(target) == before
    assert (await opens(archive), await opens(target)) == (False, True)
    assert await held(archive) == before


@pytest.mark.parametrize("phase", PHASES)
async def test_stopped_anywhere_on_the_way_in_one_side_opens_and_the_next_run_finishes(
    source: str, archive: str, phase: Phase, tmp_path: Path
) -> None:
    await fill(source, RECORDS)
    before = await held(source)

    with pytest.raises(Interference):
        await copy(source, archive, listener=at(phase))

    assert await opens(source) + await opens(archive) == 1
    assert (await copy(source, archive)).outcome in ("moved", "finished")
    assert (await opens(source), await opens(archive)) == (False, True)
    assert await held(archive) == before
    assert os.listdir(tmp_path) == ["a.wa"]


@pytest.mark.parametrize("phase", PHASES[:-1])
async def test_stopped_anywhere_on_the_way_out_one_side_opens_and_the_next_run_finishes(
    source: str, target: str, archive: str, phase: Phase
) -> None:
    await fill(source, RECORDS)
    before = await held(source)
    await copy(source, archive)

    with pytest.raises(Interference):
        await copy(archive, target, listener=at(phase))

    assert await opens(archive) + await opens(target) == 1
    assert (await copy(archive, target)).outcome in ("moved", "finished")
    assert (await opens(archive), await opens(target)) == (False, True)
    assert await held(target) == before


async def test_an_archive_that_was_not_decided_on_is_no_last_state_of_anything(
    source: str, target: str, archive: str, tmp_path: Path
) -> None:
    await fill(source, RECORDS)
    with pytest.raises(Interference):
        await copy(source, archive, listener=at(Phase.DECIDING))

    with pytest.raises(SessionArrivingError):
        await copy(archive, target)

    assert sorted(os.listdir(tmp_path)) == ["a.wa", "a.wa.move"]
    assert (await opens(source), await opens(target)) == (True, False)


async def test_a_spent_archive_comes_back_as_an_ordinary_one(
    source: str, target: str, archive: str
) -> None:
    await fill(source, {**RECORDS, "session/session/1.0": b"a ratchet"})
    await copy(source, archive)
    await copy(archive, target)

    report = await restore(archive, source)

    assert report.outcome == "restored"
    assert "session/session/1.0" in await held(target)
    assert "session/session/1.0" not in await held(source)


async def test_a_move_out_that_was_decided_is_finished_and_goes_nowhere_else(
    source: str, target: str, archive: str
) -> None:
    await fill(source, RECORDS)
    await copy(source, archive)

    async def stopped() -> None:
        # Behind the decision, before the archive is told that the target knows.
        with pytest.raises(Interference):
            await copy(archive, target, listener=at(Phase.DECIDING))

    await stopped()
    assert (await marker(archive)) is not None
    assert (await copy(archive, target)).outcome == "moved"
    found = await marker(archive)
    assert found is not None
    assert found.stage is Stage.SETTLED


async def test_no_move_writes_over_an_archive(source: str, archive: str, tmp_path: Path) -> None:
    await fill(source, RECORDS)
    write_archive(tmp_path / "a.wa", entries(3))
    before = (tmp_path / "a.wa").read_bytes()

    with pytest.raises(MoveConflictError, match="another archive"):
        await copy(source, archive)
    assert (tmp_path / "a.wa").read_bytes() == before
    assert await opens(source)

    assert (await copy(source, archive, on_conflict="overwrite")).outcome == "moved"
    assert (tmp_path / "a.wa").read_bytes() != before


async def test_a_part_goes_into_an_archive_and_nothing_moves(
    source: str, target: str, archive: str
) -> None:
    await fill(source, RECORDS)

    report = await copy(source, archive, only=["contacts"])
    proof = await verify(archive)

    assert (report.outcome, report.records) == ("copied", 2)
    assert (proof.about.last_state, proof.about.scope) == (False, ("contact/", "lid/"))
    assert await opens(source)
    assert (await copy(archive, target, only=["contacts"])).records == 2
    assert sorted(await held(target)) == ["contact/1@s.whatsapp.net/index", "lid/77"]


async def test_an_archive_compares_as_every_store_does(source: str, archive: str) -> None:
    await fill(source, RECORDS)
    await create(source, archive)
    async with await open_engine(source) as engine:
        await engine.set("session/creds", b'{"newer":1}')

    found = await check(source, archive, tell=lambda mark, key: None)

    assert found.positions
    assert found.counts == {Mark.EQUAL: len(RECORDS) - 1, Mark.DIFFERENT: 1}


async def test_no_backup_is_taken_of_what_is_not_a_session(
    source: str, target: str, archive: str, tmp_path: Path
) -> None:
    with pytest.raises(NoSessionError):
        await create(source, archive)
    await fill(source, RECORDS)
    await copy(source, target, keep_source=True)
    with pytest.raises(SessionMovedError):
        await create(source, archive)
    with pytest.raises(UsageError, match="folder"):
        await create(target, archive, keep=3)

    assert os.listdir(tmp_path) == []


async def test_a_dry_run_writes_nothing(
    source: str, target: str, archive: str, tmp_path: Path
) -> None:
    await fill(source, RECORDS)

    assert (await copy(source, archive, dry_run=True)).outcome == "would move"
    assert os.listdir(tmp_path) == []
    await create(source, archive)
    assert (await restore(archive, target, dry_run=True)).outcome == "would move"
    assert await held(target) == {}
