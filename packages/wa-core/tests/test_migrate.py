"""Moving a session: what arrives, who is refused, and which side opens whatever happens."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from wa_core.errors import (
    CorruptRecordError,
    EngineUnavailableError,
    LeaseHeldError,
    MoveConflictError,
    NoSessionError,
    SessionArrivingError,
    SessionLeavingError,
    SessionMovedError,
    SourceChangedError,
    TargetUnfitError,
    UsageError,
    WaError,
)
from wa_core.migrate import Phase, Progress, copy
from wa_core.state.moves import (
    MOVE_KEY,
    Move,
    Stage,
    check_openable,
    check_staying,
    get_move,
)
from wa_core.storage import (
    Batch,
    Engine,
    EngineUrl,
    MemoryEngine,
    MemoryStore,
    Provider,
    open_engine,
    registry,
)
from wa_core.storage.memory import MemoryProvider

RECORDS = {
    "session/creds": b'{"me":{"id":"1"}}',
    "session/pre-key/1": b"\x00\xff",
    "session/app-state-sync-key/AAA%2FB=": b"",
    "contact/1@s.whatsapp.net/index": b"contact",
    "lid/77": b"1@s.whatsapp.net",
    "chat/1": b"a value that has keys below it",
    "chat/1/index": b"chat",
    "chat/1/message/A/content": b"x" * 70_000,
    "wa": b"a key above the marker",
    "elsewhere/\N{SNOWMAN} * % _": b"nobody knows this one",
}


@pytest.fixture
def source() -> str:
    return f"memory:{secrets.token_hex(8)}"


@pytest.fixture
def target() -> str:
    return f"memory:{secrets.token_hex(8)}"


async def fill(url: str, records: dict[str, bytes] = RECORDS, first: int = 1000) -> None:
    """Write records, each at a position of its own."""
    batch = Batch()
    for place, (key, value) in enumerate(records.items()):
        batch.put(key, value, at=first + place)
    async with await open_engine(url) as engine:
        await engine.apply(batch)


async def held(url: str) -> dict[str, tuple[bytes, int]]:
    """Read a store whole, with positions and without the marker."""
    async with await open_engine(url, read_only=True) as engine:
        return {e.key: (e.value, e.at) async for e in engine.scan() if e.key != MOVE_KEY}


async def opens(url: str) -> bool:
    """Tell whether a store says that it is the session, and has one."""
    async with await open_engine(url) as engine:
        try:
            await check_openable(engine)
        except (SessionArrivingError, SessionMovedError):
            return False
        return await engine.get("session/creds") is not None


async def test_everything_arrives_as_it_was_with_its_position(source: str, target: str) -> None:
    await fill(source)
    before = await held(source)

    report = await copy(source, target)

    assert await held(target) == before
    assert (report.outcome, report.records, report.copied) == ("moved", len(RECORDS), len(RECORDS))
    assert report.size == sum(len(key.encode()) + len(value) for key, value in RECORDS.items())


async def test_the_source_is_emptied_and_says_where_the_session_is(
    source: str, target: str
) -> None:
    await fill(source)

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
    await fill(source)

    report = await copy(source, target, keep_source=True)

    assert report.kept
    assert await held(source) == await held(target)
    assert (await opens(source), await opens(target)) == (False, True)
    async with await open_engine(source) as engine:
        await check_openable(engine, force=True)


async def test_a_session_moves_there_and_back_any_number_of_times(source: str, target: str) -> None:
    await fill(source)
    before = await held(source)

    for _ in range(3):
        await copy(source, target)
        await copy(target, source)

    assert await held(source) == before
    assert (await opens(source), await opens(target)) == (True, False)


async def test_a_kept_copy_is_replaced_when_the_session_comes_back(
    source: str, target: str
) -> None:
    await fill(source)
    await copy(source, target, keep_source=True)
    async with await open_engine(target) as engine:
        await engine.set("session/pre-key/1", None)
        await engine.set("session/creds", b"newer")

    with pytest.raises(MoveConflictError):
        await copy(target, source)
    assert await opens(target)
    report = await copy(target, source, on_conflict="overwrite")

    assert report.pruned == 1
    assert "session/pre-key/1" not in await held(source)
    assert (await held(source))["session/creds"][0] == b"newer"


async def test_what_is_the_same_store_is_refused_by_name_and_by_lease(source: str) -> None:
    await fill(source)

    for same in (source, f"{source}#default", f"{source}?timeout=7"):
        with pytest.raises(UsageError, match="the same store"):
            await copy(source, same)

    assert await opens(source)


@pytest.mark.parametrize("dry_run", [False, True])
async def test_an_empty_source_is_no_session(source: str, target: str, dry_run: bool) -> None:
    with pytest.raises(NoSessionError):
        await copy(source, target, dry_run=dry_run)


async def test_a_dry_run_writes_nothing_and_tells_what_would_be(source: str, target: str) -> None:
    await fill(source)

    report = await copy(source, target, dry_run=True)

    assert (report.outcome, report.records) == ("would move", len(RECORDS))
    assert await held(target) == {}
    async with await open_engine(source) as engine:
        assert await get_move(engine) is None


async def test_a_live_source_is_refused_and_its_holder_named(source: str, target: str) -> None:
    await fill(source)
    async with await open_engine(source) as engine, await engine.acquire("worker 7", 60):
        with pytest.raises(LeaseHeldError, match="worker 7"):
            await copy(source, target)

        assert await get_move(engine) is None


async def test_a_takeover_asks_the_worker_to_stop_and_waits_for_it(
    source: str, target: str
) -> None:
    await fill(source)
    asked: list[str] = []

    async def worker(engine: Engine) -> None:
        async with await engine.acquire("worker 7", 60) as lease:
            while True:
                await asyncio.sleep(0.01)
                await lease.renew()
                try:
                    await check_staying(engine)
                except SessionLeavingError as exc:
                    asked.append(exc.target)
                    return

    async with await open_engine(source) as engine, asyncio.TaskGroup() as group:
        group.create_task(worker(engine))
        await asyncio.sleep(0)
        report = await copy(source, target, takeover=True)

    assert asked == [target]
    assert report.outcome == "moved"


async def test_a_takeover_that_waits_in_vain_leaves_no_announcement(
    source: str, target: str
) -> None:
    await fill(source)
    async with await open_engine(source) as engine, await engine.acquire("deaf", 60):
        with pytest.raises(LeaseHeldError):
            await copy(source, target, takeover=True, patience_s=0)

        assert await get_move(engine) is None


async def test_the_lease_of_a_dead_run_is_waited_for(source: str, target: str) -> None:
    await fill(source)
    async with await open_engine(source) as engine:
        await engine.acquire("wa-migrate 77 (pid 1 on here)", 0.05)

        assert (await copy(source, target)).outcome == "moved"


async def test_a_live_target_is_refused(source: str, target: str) -> None:
    await fill(source)
    async with await open_engine(target) as engine, await engine.acquire("worker 7", 60):
        with pytest.raises(LeaseHeldError, match="worker 7"):
            await copy(source, target, takeover=True, patience_s=0)

    assert await opens(source)


class Interference(WaError):
    """What a test does in the middle of a migration."""

    code = "interference"


def at(phase: Phase, moment: int = 1) -> Stop:
    return Stop(phase, moment)


class Stop:
    """A listener that raises at the n-th step of a phase."""

    def __init__(self, phase: Phase, moment: int) -> None:
        self.phase, self.left = phase, moment

    def __call__(self, progress: Progress) -> None:
        if progress.phase is self.phase:
            self.left -= 1
            if not self.left:
                raise Interference("here")


@pytest.mark.parametrize("phase", [Phase.LOOKING, Phase.COPYING, Phase.VERIFYING])
async def test_a_failure_before_the_decision_leaves_the_source_as_the_session(
    source: str, target: str, phase: Phase
) -> None:
    await fill(source)
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
    await fill(source)
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
    await fill(source)
    with pytest.raises(Interference):
        await copy(source, target, listener=at(Phase.REMOVING))
    async with await open_engine(target) as engine:
        await check_openable(engine)
        await engine.set("session/creds", b"newer")

    report = await copy(source, target)

    assert (report.outcome, report.copied) == ("finished", 0)
    assert (await held(target))["session/creds"][0] == b"newer"


async def test_a_target_that_lost_everything_keeps_the_source_from_being_removed(
    source: str, target: str
) -> None:
    await fill(source)
    with pytest.raises(Interference):
        await copy(source, target, listener=at(Phase.REMOVING))
    async with await open_engine(target) as engine:
        await engine.clear()

    with pytest.raises(WaError, match="holds nothing any more"):
        await copy(source, target)


async def test_an_interrupted_copy_goes_on_and_trusts_nothing_by_its_key(
    source: str, target: str
) -> None:
    await fill(source)
    with pytest.raises(Interference):
        await copy(source, target, listener=at(Phase.VERIFYING))
    async with await open_engine(source) as engine:
        await engine.set("session/creds", b"newer", at=1)
        await engine.set("session/pre-key/1", None)
        await engine.set("chat/1/index", RECORDS["chat/1/index"], at=5)
    before = await held(source)

    report = await copy(source, target)

    assert await held(target) == before
    assert report.present > 0
    assert report.pruned == 1


async def test_a_source_that_moved_elsewhere_is_refused(source: str, target: str) -> None:
    await fill(source)
    await copy(source, target, keep_source=True)

    with pytest.raises(SessionMovedError):
        await copy(source, "memory:a-third")
    report = await copy(source, "memory:a-third", force=True)

    assert report.outcome == "moved"


async def test_a_half_arrived_target_is_no_source(source: str, target: str) -> None:
    await fill(source)
    with pytest.raises(Interference):
        await copy(source, target, listener=at(Phase.VERIFYING))

    with pytest.raises(SessionArrivingError):
        await copy(target, "memory:a-fourth")


async def test_a_complete_target_whose_source_let_go_moves_on(source: str, target: str) -> None:
    await fill(source)
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


async def test_other_records_in_the_target_are_refused_before_anything_is_written(
    source: str, target: str
) -> None:
    await fill(source)
    await fill(target, {"chat/1/index": b"another"})
    before = await held(target)

    for dry_run in (True, False):
        with pytest.raises(MoveConflictError):
            await copy(source, target, dry_run=dry_run)

    assert await held(target) == before
    assert await opens(source)


async def test_overwriting_makes_the_target_what_the_source_is(source: str, target: str) -> None:
    await fill(source)
    await fill(target, {"session/creds": b"another", "chat/2/index": b"y", "chat": b"above all"})
    before = await held(source)

    report = await copy(source, target, on_conflict="overwrite")

    assert await held(target) == before
    assert report.pruned == 2


async def test_skipping_leaves_what_the_target_has(source: str, target: str) -> None:
    await fill(source)
    await fill(target, {"chat/1/index": b"another", "chat/2/index": b"y"})

    report = await copy(source, target, on_conflict="skip")

    there = await held(target)
    assert there["chat/1/index"][0] == b"another"
    assert set(there) == {*RECORDS, "chat/2/index"}
    assert report.skipped == 1


async def test_two_auth_states_are_never_mixed(source: str, target: str) -> None:
    await fill(source)
    await fill(target, {"session/pre-key/9": b"of another device"})

    with pytest.raises(MoveConflictError, match="half of each"):
        await copy(source, target, on_conflict="skip")


async def test_an_interrupted_skip_still_skips_when_it_goes_on(source: str, target: str) -> None:
    await fill(source)
    await fill(target, {"chat/2/index": b"y"})
    with pytest.raises(Interference):
        await copy(source, target, on_conflict="skip", listener=at(Phase.DECIDING))

    await copy(source, target)

    assert "chat/2/index" in await held(target)


async def test_an_unfinished_move_of_somebody_else_is_no_empty_place(
    source: str, target: str
) -> None:
    other = f"{source}-other"
    await fill(source)
    await fill(other)
    with pytest.raises(Interference):
        await copy(other, target, listener=at(Phase.VERIFYING))

    with pytest.raises(MoveConflictError, match="unfinished"):
        await copy(source, target)
    await copy(source, target, on_conflict="overwrite")

    assert (await opens(source), await opens(target), await opens(other)) == (False, True, True)


@pytest.mark.parametrize(
    ("only", "prefixes"), [("contacts", ("contact/", "lid/")), ("chats", ("chat/",))]
)
async def test_a_part_without_credentials_is_a_copy_and_nothing_moves(
    source: str, target: str, only: str, prefixes: tuple[str, ...]
) -> None:
    await fill(source)

    report = await copy(source, target, only=[only])

    part = {key: record for key, record in (await held(source)).items() if key.startswith(prefixes)}
    assert await held(target) == part
    assert report.outcome == "copied"
    assert await opens(source)
    assert (await copy(source, target, only=[only])).present == len(part)


async def test_credentials_alone_are_a_move_and_the_rest_stays_behind(
    source: str, target: str
) -> None:
    await fill(source)

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


async def test_a_worker_without_a_lease_is_noticed_before_anything_is_decided(
    source: str, target: str
) -> None:
    await fill(source)
    async with await open_engine(source) as engine:
        assert isinstance(engine, MemoryEngine)

        def write(progress: Progress) -> None:
            if progress.phase is Phase.VERIFYING and progress.done == progress.total:
                engine.store.put("session/creds", b"ratcheted", None)

        with pytest.raises(SourceChangedError):
            await copy(source, target, listener=write)

        assert await get_move(engine) is None
    assert (await opens(source), await opens(target)) == (True, False)
    await copy(source, target)
    assert (await held(target))["session/creds"][0] == b"ratcheted"


async def test_a_damaged_record_of_the_source_ends_the_run_with_nothing_decided(
    source: str, target: str
) -> None:
    await fill(source)
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
    await fill(source)
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
    await fill(source)
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
    await fill(source)
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


class Narrow(MemoryEngine):
    """A layout of somebody else: no leases, no positions, nothing but the session."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        claims = self._capabilities.claims - {"L1", "L2", "L3", "O1"}
        self._capabilities = replace(self._capabilities, claims=claims)

    def holds(self, key: str) -> bool:
        return key == MOVE_KEY or key.startswith("session/")


class NarrowProvider(MemoryProvider):
    """Opens `narrow:` places."""

    stores: ClassVar[dict[str, MemoryStore]] = {}

    async def open(self, url: EngineUrl, *, read_only: bool = False) -> Engine:
        return Narrow(self.stores.setdefault(url.place, MemoryStore()))


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> str:
    """Offer a layout of somebody else, and name a place in it."""
    known = registry.provider_for

    def found(scheme: str) -> Provider:
        return NarrowProvider() if scheme == "narrow" else known(scheme)

    monkeypatch.setattr(registry, "provider_for", found)
    return f"narrow:{secrets.token_hex(8)}"


AUTH = {key: value for key, value in RECORDS.items() if key.startswith("session/")}


@pytest.mark.parametrize("dry_run", [False, True])
async def test_what_has_no_place_in_the_target_is_refused_before_anything_is_written(
    source: str, narrow: str, dry_run: bool
) -> None:
    await fill(source)

    with pytest.raises(TargetUnfitError, match="no place"):
        await copy(source, narrow, dry_run=dry_run)

    assert await held(narrow) == {}
    async with await open_engine(source) as engine:
        assert await get_move(engine) is None


async def test_a_layout_of_somebody_else_takes_what_it_can_and_gives_it_back(
    source: str, target: str, narrow: str
) -> None:
    await fill(source, AUTH)

    there = await copy(source, narrow)
    back = await copy(narrow, target)

    assert {key: value for key, (value, _) in (await held(target)).items()} == AUTH
    assert any("positions" in warning for warning in there.warnings)
    assert any("leases" in warning for warning in back.warnings)


async def test_a_kept_source_is_out_of_reach_of_a_tool_that_reads_no_marker(
    narrow: str, target: str
) -> None:
    await fill(narrow, AUTH)

    await copy(narrow, target, keep_source=True)

    there = await held(narrow)
    assert set(there) == set(AUTH) - {"session/creds"}
    async with await open_engine(narrow) as engine:
        await check_openable(engine, force=True)
    assert set(await held(narrow)) == set(AUTH)


async def test_a_layout_without_leases_is_the_same_store_under_two_names(
    narrow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(narrow, AUTH)
    alias = f"{narrow}-alias"
    NarrowProvider.stores[alias.partition(":")[2]] = NarrowProvider.stores[narrow.partition(":")[2]]

    with pytest.raises(UsageError, match="the same store"):
        await copy(narrow, alias)

    assert await opens(narrow)


async def test_an_older_tool_that_writes_meanwhile_is_noticed(narrow: str, target: str) -> None:
    await fill(narrow, AUTH)
    store = NarrowProvider.stores[narrow.partition(":")[2]]

    def write(progress: Progress) -> None:
        if progress.phase is Phase.COPYING:
            store.put("session/creds", b"ratcheted", None)

    with pytest.raises(SourceChangedError):
        await copy(narrow, target, listener=write)

    assert await opens(narrow)
    assert not await opens(target)


async def test_a_relative_folder_is_found_again_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await fill("file:here")
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
