"""A source that is gone for good: what makes a complete target the session, and what does not."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from migrate_bench.places import empty_place
from migrate_bench.sample import held, opens
from migrate_bench.small import ON_DISK, RECORDS, begun, emptied, marker
from wa_core.errors import (
    MoveStandsError,
    SessionMovedError,
)
from wa_core.migrate import Phase, abandon, copy
from wa_core.state.moves import MOVE_KEY
from wa_core.storage import MemoryEngine, open_engine


async def test_a_complete_target_becomes_the_session(source: str, target: str) -> None:
    await begun(source, target)
    before = await held(target)
    await emptied(source)
    assert not await opens(target)

    would = await abandon(source, target, source_lost=True, dry_run=True)
    assert not await opens(target)
    report = await abandon(source, target, source_lost=True)

    assert would.records == report.records == len(RECORDS)
    assert report.outcome == "kept the target"
    assert (await held(target), await opens(target)) == (before, True)


@pytest.mark.parametrize(("first", "second"), ON_DISK)
async def test_files_that_are_gone_are_lost(tmp_path: Path, first: str, second: str) -> None:
    source, target = (empty_place(kind, str, tmp_path) for kind in (first, second))
    await begun(source, target, {"session/creds": b'{"me":{"id":"1"}}'})
    place = Path(source.partition(":")[2].partition("#")[0])
    shutil.rmtree(place) if place.is_dir() else place.unlink()

    await abandon(source, target, source_lost=True)

    assert await opens(target)
    assert not place.exists()


async def test_a_database_without_its_tables_is_lost(tmp_path: Path) -> None:
    source, target = (empty_place("sqlite", str, tmp_path) for _ in range(2))
    await begun(source, target)
    with closing(sqlite3.connect(source.removeprefix("sqlite:").removesuffix("#bot"))) as db:
        for (table,) in db.execute(
            "SELECT name FROM sqlite_master WHERE name LIKE 'wa_%' AND type = 'table'"
        ).fetchall():
            db.execute(f"DROP TABLE {table}")

    await abandon(source, target, source_lost=True)

    assert await opens(target)


async def test_credentials_that_cannot_be_read_are_lost(source: str, target: str) -> None:
    await begun(source, target)
    async with await open_engine(source) as engine:
        assert isinstance(engine, MemoryEngine)
        engine.store.damage("session/creds")

    report = await abandon(source, target, source_lost=True)

    assert "corrupt-record" in report.warnings[0]
    assert await opens(target)


async def test_a_source_that_does_not_answer_is_lost_if_that_is_said(
    source: str, target: str
) -> None:
    await begun(f"{source}?timeout=0.05", target)
    async with await open_engine(source) as engine:
        assert isinstance(engine, MemoryEngine)
        engine.store.stall()

        report = await abandon(f"{source}?timeout=0.05", target, source_lost=True)

        engine.store.resume()
    assert "never open it" in report.warnings[0]
    assert await opens(target)


async def test_a_source_that_is_the_session_is_not_lost(source: str, target: str) -> None:
    await begun(source, target)

    for dry_run in (True, False):
        with pytest.raises(MoveStandsError, match="can be read"):
            await abandon(source, target, source_lost=True, dry_run=dry_run)

    assert (await opens(source), await opens(target)) == (True, False)


async def test_a_source_that_moved_elsewhere_is_not_lost(source: str, target: str) -> None:
    await begun(source, target)
    await copy(source, f"{target}-third", keep_source=True)

    with pytest.raises(SessionMovedError):
        await abandon(source, target, source_lost=True)
    await abandon(source, target)

    assert (await held(target), await opens(f"{target}-third")) == ({}, True)


async def test_half_of_a_session_is_none(source: str, target: str) -> None:
    await begun(source, target, until=Phase.VERIFYING)
    await emptied(source)

    with pytest.raises(MoveStandsError, match="only a part"):
        await abandon(source, target, source_lost=True)

    assert not await opens(target)


async def test_a_source_that_cannot_be_asked_for_want_of_an_engine_is_not_lost(
    source: str, target: str
) -> None:
    await begun(source, target)
    left = await marker(target)
    assert left is not None
    async with await open_engine(target) as engine:
        await engine.set(MOVE_KEY, replace(left, other="nowhere:x").to_bytes())

    with pytest.raises(LookupError, match="nowhere"):
        await abandon("nowhere:x", target, source_lost=True)
