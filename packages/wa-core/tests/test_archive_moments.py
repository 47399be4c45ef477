"""A backup of a session that is written all the time is the session at one moment."""

from __future__ import annotations

import asyncio
import os
import secrets
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from archive_bench.busy import InterruptedEngine, Twenty, Write, messages_in, said_by
from archive_bench.made import CHEAP, KEY, SECRET, TAKEN_AT, VARIABLE, url_of
from wa_core.archive import About, Writer, capture, open_archive, prove
from wa_core.backup import create
from wa_core.errors import UnsettledBackupError
from wa_core.storage import Batch, Engine, MemoryEngine, open_engine

pytestmark = pytest.mark.once

ABOUT = About(session="bot", taken_at=TAKEN_AT)
LAST = 1_800_000_000_000_000
BACKUPS = {"memory": 100, "file": 15, "sqlite": 15}


async def filled(engine: Engine, records: int = 200) -> None:
    batch = Batch()
    for number in range(records):
        batch.put(f"contact/{number}/index", b"somebody", at=1_700_000_000_000_000 + number)
    await engine.apply(batch)
    await Twenty().write(engine)


async def taken(engine: Engine, path: Path, *, writer: Writer | None = None) -> dict[str, bytes]:
    """Take a backup, and return what is in it."""
    await capture(engine, str(path), SECRET, ABOUT, writer=writer, cost=CHEAP)
    async with await open_archive(str(path), SECRET) as archive:
        return {entry.key: entry.value async for entry in archive.scan()}


def place_of(kind: str, folder: Path) -> str:
    places = {"memory": f"memory:{secrets.token_hex(6)}", "file": f"file:{folder}/f#bot"}
    return places.get(kind, f"sqlite:{folder}/wa.db#bot")


@pytest.mark.parametrize("kind", BACKUPS)
async def test_backups_beside_a_writer_hold_what_it_keeps_over_twenty_keys(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, KEY)
    url, twenty = place_of(kind, tmp_path), Twenty(messages=60)
    said = []

    async with AsyncExitStack() as ends:
        engine = await ends.enter_async_context(await open_engine(url))
        await filled(engine)
        await ends.enter_async_context(twenty.writing(engine))
        for number in range(BACKUPS[kind]):
            proof = await create(url, url_of(tmp_path / str(number)))
            async with await open_archive(proof.path, SECRET) as archive:
                records = {entry.key: entry.value async for entry in archive.scan()}
            assert len(said_by(records)) == 1
            said.append(said_by(records).pop())
            assert messages_in(records) == min(said[-1], 60)
            assert len(records) == 220 + messages_in(records)

    assert said == sorted(said)
    assert said[0] < said[-1] <= twenty.commits


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("messages", [0, 30, 300])
async def test_written_at_every_step_it_is_caught_once_no_more_new_records_come(
    tmp_path: Path, messages: int, old: bool
) -> None:
    engine, twenty = MemoryEngine(), Twenty(messages=messages, old=old)
    await filled(engine)

    records = await taken(InterruptedEngine(engine, twenty.write), tmp_path / "a")

    assert len(said_by(records)) == 1
    assert messages_in(records) == messages


@pytest.mark.parametrize("old", [False, True])
async def test_a_session_that_never_stops_to_grow_is_refused_and_leaves_no_file(
    tmp_path: Path, old: bool
) -> None:
    engine, twenty = MemoryEngine(), Twenty(messages=float("inf"), old=old)
    await filled(engine, records=20)

    with pytest.raises(UnsettledBackupError, match="schedule_backups"):
        await taken(InterruptedEngine(engine, twenty.write), tmp_path / "a")

    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("old", [False, True])
async def test_its_own_program_holds_it_for_the_moment_though_it_never_stops_to_grow(
    tmp_path: Path, old: bool
) -> None:
    engine, twenty = MemoryEngine(), Twenty(messages=float("inf"), old=old)
    await filled(engine)
    busy = InterruptedEngine(engine, twenty.write)

    records = await taken(busy, tmp_path / "a", writer=busy)

    assert said_by(records) == {messages_in(records)}
    assert messages_in(records) < twenty.commits


async def once(engine: Engine, *writes: Write) -> InterruptedEngine:
    """Let each of these in once, at its chance: the first, the second, ..."""
    waiting = list(writes)

    async def write(inner: Engine) -> None:
        if waiting:
            await waiting.pop(0)(inner)

    return InterruptedEngine(engine, write)


async def nothing(engine: Engine) -> None:
    """Write nothing."""


def deleting(key: str) -> Write:
    return lambda engine: engine.set(key, None)


def putting(key: str, value: bytes, at: int | None = None) -> Write:
    return lambda engine: engine.set(key, value, at=at)


CHANGES = {
    "deleted": [deleting("contact/7")],
    "deleted and back": [deleting("contact/7"), putting("contact/7/index", b"again")],
    "overwritten with an old position": [putting("contact/7/index", b"other", 5)],
    "overwritten at its own position": [
        putting("contact/7/index", b"other", 1_700_000_000_000_007)
    ],
    "new with an old position": [putting("lid/1", b"new", 5)],
    "new in the far future": [putting("lid/1", b"new", LAST), putting("lid/2", b"new", LAST + 1)],
    "new and gone": [putting("lid/1", b"new"), deleting("lid/1")],
    "empty": [putting("contact/7/index", b"")],
}


@pytest.mark.parametrize("chance", [0, 1, 30, 219, 220, 222, 224, 226, 228, 260, 440, 447])
@pytest.mark.parametrize("change", CHANGES)
async def test_whatever_changes_at_whatever_step_is_there_whole_or_not_at_all(
    tmp_path: Path, change: str, chance: int
) -> None:
    engine = MemoryEngine()
    await filled(engine)
    states = [{entry.key: entry.value async for entry in engine.scan()}]

    def noted(write: Write) -> Write:
        async def write_and_note(inner: Engine) -> None:
            await write(inner)
            states.append({entry.key: entry.value async for entry in inner.scan()})

        return write_and_note

    busy = await once(engine, *[nothing] * chance, *map(noted, CHANGES[change]))

    assert await taken(busy, tmp_path / "a") in states


async def test_without_positions_what_changes_is_found_by_looking_twice(tmp_path: Path) -> None:
    engine, twenty = MemoryEngine(), Twenty()
    await filled(engine)
    bare = replace(engine.capabilities, claims=engine.capabilities.claims - {"O1"})

    records = await taken(
        InterruptedEngine(engine, twenty.write, capabilities=bare), tmp_path / "a"
    )

    assert len(said_by(records)) == 1


async def test_a_layout_that_cannot_be_read_at_one_moment_has_to_stand_still(
    tmp_path: Path,
) -> None:
    engine, twenty = MemoryEngine(), Twenty()
    await filled(engine)
    bare = replace(engine.capabilities, claims=engine.capabilities.claims - {"W1"})

    with pytest.raises(UnsettledBackupError, match="layout"):
        await taken(InterruptedEngine(engine, twenty.write, capabilities=bare), tmp_path / "a")
    still = await taken(InterruptedEngine(engine, nothing, capabilities=bare), tmp_path / "a")

    assert len(said_by(still)) == 1


async def test_cancelled_at_any_step_it_leaves_a_whole_archive_or_none(tmp_path: Path) -> None:
    engine = MemoryEngine()
    await filled(engine, records=20)

    finished = 0
    for steps in range(0, 120, 3):
        task = asyncio.create_task(
            capture(engine, str(tmp_path / f"{steps}"), SECRET, ABOUT, cost=CHEAP)
        )
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        finished += not task.cancelled()

    names = os.listdir(tmp_path)
    assert len(names) >= finished
    for name in names:
        assert (await prove(str(tmp_path / name), SECRET)).records == 40


async def test_positions_come_along_and_of_what_moves_no_later_than_the_moment(
    tmp_path: Path,
) -> None:
    engine, twenty = MemoryEngine(), Twenty()
    await filled(engine)
    before = {entry.key: entry.at async for entry in engine.scan("contact/")}

    await taken(InterruptedEngine(engine, twenty.write), tmp_path / "a")

    async with await open_archive(str(tmp_path / "a"), SECRET) as archive:
        assert {entry.key: entry.at async for entry in archive.scan("contact/")} == before
        newest = max([entry.at async for entry in archive.scan()])
    assert newest <= max([entry.at async for entry in engine.scan()])
