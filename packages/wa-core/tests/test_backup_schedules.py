"""A service that takes backups of its own sessions, in a time that the test turns by hand."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from archive_bench.hours import Hours
from archive_bench.made import CHEAP, KEY, SECRET
from state_bench.identities import some_creds
from wa_core.archive import Proof, open_archive
from wa_core.archive.shelf import listed
from wa_core.errors import KeyUnavailableError, SessionLeavingError, UsageError, WaError
from wa_core.state import AuthState, schedule_backups
from wa_core.state.backups import RETRY_S, Pace
from wa_core.state.creds import Creds
from wa_core.state.moves import MOVE_KEY, Move, Stage
from wa_core.storage import MemoryEngine
from wa_core.storage.layouts import CREDS

pytestmark = pytest.mark.once

DAY = 86_400.0


class Service:
    """A state, its backups, and what they told."""

    def __init__(self, folder: Path, hours: Hours) -> None:
        self.folder, self.hours = folder, hours
        self.engine = MemoryEngine()
        self.taken: list[Proof] = []
        self.errors: list[WaError] = []
        self.key = KEY
        self.dice = 0.5

    @asynccontextmanager
    async def running(self, *, keep: int = 7) -> AsyncIterator[AuthState]:
        """Run with a backup every day."""
        if await self.engine.get(CREDS) is None:
            await self.engine.set(CREDS, some_creds().to_bytes())
        pace = Pace(now=self.hours.now, sleep=self.hours.sleep, dice=lambda: self.dice)
        async with (
            await AuthState.open(self.engine) as state,
            schedule_backups(
                state,
                str(self.folder),
                key=lambda: self.key,
                session="bot",
                keep=keep,
                on_backup=self.taken.append,
                on_error=self.errors.append,
                pace=pace,
                cost=CHEAP,
            ),
        ):
            yield state


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path / "backups", Hours())


async def test_a_backup_is_taken_soon_and_then_every_day(service: Service) -> None:
    async with service.running():
        first = await service.hours.until_asleep()
        second = await service.hours.wake()
        third = await service.hours.wake()

    assert first < RETRY_S
    assert (second, third) == (DAY, DAY)
    assert len(service.taken) == 2
    assert service.taken[1].about.taken_at - service.taken[0].about.taken_at == DAY * 1e6
    async with await open_archive(service.taken[0].path, SECRET) as archive:
        assert await archive.get(CREDS) == some_creds().to_bytes()


@pytest.mark.parametrize(("dice", "seconds"), [(0.0, 0.9 * DAY), (1.0, 1.1 * DAY)])
async def test_the_wait_is_spread_by_dice(service: Service, dice: float, seconds: float) -> None:
    service.dice = dice

    async with service.running():
        assert await service.hours.wake() == pytest.approx(seconds)


async def test_a_restart_goes_on_with_the_day_that_had_begun(service: Service) -> None:
    async with service.running():
        await service.hours.wake()
    service.hours.time += DAY / 2
    again = Service(service.folder, Hours(service.hours.time))
    again.dice = 0.0

    async with again.running():
        assert await again.hours.until_asleep() == pytest.approx(DAY / 2)


async def test_a_restart_after_a_long_time_takes_one_soon(service: Service) -> None:
    async with service.running():
        await service.hours.wake()
    again = Service(service.folder, Hours(service.hours.time + 10 * DAY))

    async with again.running():
        assert await again.hours.until_asleep() <= 0.1 * DAY


async def test_as_many_are_kept_as_are_asked_for(service: Service) -> None:
    async with service.running(keep=3):
        for _ in range(6):
            await service.hours.wake()

    kept = await listed(str(service.folder), SECRET, verify=True)
    assert [each.path for each in kept] == [each.path for each in service.taken[:2:-1]]
    assert all(each.verified for each in kept)


async def test_while_the_session_is_about_to_move_none_is_taken(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    leaving = Move(id="m", stage=Stage.LEAVING, other="memory:there", at=1)
    with caplog.at_level(logging.WARNING):
        async with service.running():
            await service.hours.until_asleep()
            await service.engine.set(MOVE_KEY, leaving.to_bytes())
            wait = await service.hours.wake()
            assert (service.taken, [type(each) for each in service.errors]) == (
                [],
                [SessionLeavingError],
            )
            await service.engine.set(MOVE_KEY, None)
            await service.hours.wake()

    assert wait == RETRY_S
    assert len(service.taken) == 1
    assert "session-leaving" in caplog.text


async def test_an_error_is_told_and_the_service_goes_on(service: Service) -> None:
    service.key = "short"

    async with service.running() as state:
        await service.hours.wake()
        assert [type(each) for each in service.errors] == [KeyUnavailableError]
        await state.update_creds(_one_more)
        service.key = KEY
        await service.hours.wake()

    assert len(service.taken) == 1
    assert not [name for name in os.listdir(service.folder) if name.endswith(".partial")]


def _one_more(creds: Creds) -> Creds:
    return creds


async def test_commits_go_on_all_the_while_and_each_backup_is_of_one_moment(
    service: Service,
) -> None:
    commits = 0

    async def commit(state: AuthState) -> None:
        nonlocal commits
        while True:
            commits += 1
            values = {**{f"{n}": commits for n in range(20)}, f"new {commits}": 1}
            await state.keys.set({"tctoken": values})

    async with service.running() as state, asyncio.TaskGroup() as group:
        worker = group.create_task(commit(state))
        for _ in range(20):
            await service.hours.wake()
        worker.cancel()

    assert len(service.taken) == 20
    for proof in service.taken[-7:]:
        async with await open_archive(proof.path, SECRET) as archive:
            found = {entry.key: entry.value async for entry in archive.scan("session/tctoken/")}
        said = {found[f"session/tctoken/{n}"] for n in range(20)}
        assert len(said) == 1
        assert len(found) == 20 + int(said.pop())


async def test_leaving_ends_a_backup_under_way_and_leaves_no_file(service: Service) -> None:
    async with service.running():
        await service.hours.until_asleep()
        service.engine.store.stall()
        service.hours.let_go()
        await asyncio.sleep(0)

    assert (service.taken, service.errors) == ([], [])
    assert not service.folder.exists() or os.listdir(service.folder) == []


async def test_a_mistake_in_a_callback_comes_out_where_the_schedule_is_left(
    service: Service,
) -> None:
    told = asyncio.Event()

    class Broken(list[WaError]):
        def append(self, error: WaError) -> None:
            told.set()
            raise RuntimeError("a mistake")

    async def run() -> None:
        async with service.running():
            await service.hours.until_asleep()
            service.hours.let_go()
            await told.wait()

    service.key, service.errors = "short", Broken()

    with pytest.raises(RuntimeError, match="a mistake"):
        await run()


async def test_a_schedule_that_makes_no_sense_is_refused(service: Service) -> None:
    await service.engine.set(CREDS, some_creds().to_bytes())
    state = await AuthState.open(service.engine)

    for keywords in ({"every_s": 0.0}, {"keep": 0}):
        with pytest.raises(UsageError):
            async with schedule_backups(state, "nowhere", key=lambda: KEY, **keywords):
                pass
