"""Moving a session: what arrives, what stays, and which of the two opens."""

from __future__ import annotations

from pathlib import Path

import pytest
from migrate_bench.sample import fill, held, opens
from migrate_bench.small import RECORDS
from wa_core.errors import (
    MoveConflictError,
    NoSessionError,
    SessionMovedError,
    UsageError,
    WaError,
)
from wa_core.migrate import copy
from wa_core.state.moves import (
    check_openable,
    get_move,
)
from wa_core.storage import (
    open_engine,
)


async def test_everything_arrives_as_it_was_with_its_position(source: str, target: str) -> None:
    await fill(source, RECORDS)
    before = await held(source)

    report = await copy(source, target)

    assert await held(target) == before
    assert (report.outcome, report.records, report.copied) == ("moved", len(RECORDS), len(RECORDS))
    assert report.size == sum(len(key.encode()) + len(value) for key, value in RECORDS.items())


async def test_the_source_is_emptied_and_says_where_the_session_is(
    source: str, target: str
) -> None:
    await fill(source, RECORDS)

    report = await copy(source, target)

    assert await held(source) == {}
    assert report.removed == len(RECORDS)
    async with await open_engine(source) as engine:
        with pytest.raises(SessionMovedError) as caught:
            await check_openable(engine)
    assert caught.value.target == target
    assert await opens(target)


async def test_a_kept_source_holds_everything_and_opens_by_force_alone(
    source: str, target: str
) -> None:
    await fill(source, RECORDS)

    report = await copy(source, target, keep_source=True)

    assert report.kept
    assert await held(source) == await held(target)
    assert (await opens(source), await opens(target)) == (False, True)
    async with await open_engine(source) as engine:
        await check_openable(engine, force=True)


async def test_a_session_moves_there_and_back_any_number_of_times(source: str, target: str) -> None:
    await fill(source, RECORDS)
    before = await held(source)

    for _ in range(3):
        await copy(source, target)
        await copy(target, source)

    assert await held(source) == before
    assert (await opens(source), await opens(target)) == (True, False)


async def test_a_kept_copy_is_replaced_when_the_session_comes_back(
    source: str, target: str
) -> None:
    await fill(source, RECORDS)
    await copy(source, target, keep_source=True)
    async with await open_engine(target) as engine:
        await engine.set("session/pre-key/1", None)
        await engine.set("session/creds", b'{"newer":1}')

    with pytest.raises(MoveConflictError):
        await copy(target, source)
    assert await opens(target)
    report = await copy(target, source, on_conflict="overwrite")

    assert report.pruned == 1
    assert "session/pre-key/1" not in await held(source)
    assert (await held(source))["session/creds"][0] == b'{"newer":1}'


async def test_what_is_the_same_store_is_refused_by_name_and_by_lease(source: str) -> None:
    await fill(source, RECORDS)

    for same in (source, f"{source}#default", f"{source}?timeout=7"):
        with pytest.raises(UsageError, match="the same store"):
            await copy(source, same)

    assert await opens(source)


@pytest.mark.parametrize("dry_run", [False, True])
async def test_an_empty_source_is_no_session(source: str, target: str, dry_run: bool) -> None:
    with pytest.raises(NoSessionError):
        await copy(source, target, dry_run=dry_run)


async def test_a_dry_run_writes_nothing_and_tells_what_would_be(source: str, target: str) -> None:
    await fill(source, RECORDS)

    report = await copy(source, target, dry_run=True)

    assert (report.outcome, report.records) == ("would move", len(RECORDS))
    assert await held(target) == {}
    async with await open_engine(source) as engine:
        assert await get_move(engine) is None


@pytest.mark.parametrize(
    ("only", "prefixes"), [("contacts", ("contact/", "lid/")), ("chats", ("chat/",))]
)
async def test_a_part_without_credentials_is_a_copy_and_nothing_moves(
    source: str, target: str, only: str, prefixes: tuple[str, ...]
) -> None:
    await fill(source, RECORDS)

    report = await copy(source, target, only=[only])

    part = {key: record for key, record in (await held(source)).items() if key.startswith(prefixes)}
    assert await held(target) == part
    assert report.outcome == "copied"
    assert await opens(source)
    assert (await copy(source, target, only=[only])).present == len(part)


async def test_credentials_alone_are_a_move_and_the_rest_stays_behind(
    source: str, target: str
) -> None:
    await fill(source, RECORDS)

    await copy(source, target, only=["auth"])

    assert all(key.startswith("session/") for key in await held(target))
    assert not any(key.startswith("session/") for key in await held(source))
    assert "chat/1/index" in await held(source)
    assert (await opens(source), await opens(target)) == (False, True)
    await copy(source, target, only=["contacts", "chats"])
    assert "chat/1/index" in await held(target)


async def test_switches_about_moves_do_not_go_with_a_copy_of_a_part(
    source: str, target: str
) -> None:
    with pytest.raises(UsageError):
        await copy(source, target, only=["chats"], keep_source=True)
    with pytest.raises(UsageError):
        await copy(source, target, only=["everything"])


async def test_a_relative_folder_is_found_again_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await fill("file:here", RECORDS)
    await copy("file:here", "file:there")
    monkeypatch.chdir("/")

    async with await open_engine(f"file:{tmp_path}/here") as engine:
        with pytest.raises(SessionMovedError) as caught:
            await check_openable(engine)

    assert await opens(caught.value.target)


async def test_a_mistyped_folder_is_not_made(tmp_path: Path, target: str) -> None:
    with pytest.raises(WaError, match="nothing to read"):
        await copy(f"file:{tmp_path}/typo", target)

    assert list(tmp_path.iterdir()) == []
