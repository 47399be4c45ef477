"""Who holds a session while it is to be moved: refused, asked to stop, waited for."""

from __future__ import annotations

import asyncio

import pytest
from migrate_bench.sample import fill, opens
from migrate_bench.small import RECORDS
from wa_core.errors import (
    LeaseHeldError,
    MoveConflictError,
    SessionLeavingError,
)
from wa_core.migrate import Progress, copy
from wa_core.state.moves import (
    check_staying,
    get_move,
)
from wa_core.storage import (
    Engine,
    MemoryEngine,
    open_engine,
)


async def test_a_live_source_is_refused_and_its_holder_named(source: str, target: str) -> None:
    await fill(source, RECORDS)
    async with await open_engine(source) as engine, await engine.acquire("worker 7", 60):
        with pytest.raises(LeaseHeldError, match="worker 7"):
            await copy(source, target)

        assert await get_move(engine) is None


async def test_a_takeover_asks_the_worker_to_stop_and_waits_for_it(
    source: str, target: str
) -> None:
    await fill(source, RECORDS)
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
    await fill(source, RECORDS)
    async with await open_engine(source) as engine, await engine.acquire("deaf", 60):
        with pytest.raises(LeaseHeldError):
            await copy(source, target, takeover=True, patience_s=0)

        assert await get_move(engine) is None


async def test_a_takeover_whose_target_is_refused_leaves_no_announcement(
    source: str, target: str
) -> None:
    await fill(source, RECORDS)
    async with await open_engine(source) as engine, await open_engine(target) as there:
        await there.set("session/creds", b"of another session")
        worker = await engine.acquire("worker 7", 60)

        def stop(progress: Progress) -> None:
            assert isinstance(engine, MemoryEngine)
            engine.store.leases.release(worker.epoch)

        with pytest.raises(MoveConflictError):
            await copy(source, target, takeover=True, listener=stop)

        assert await get_move(engine) is None


async def test_the_lease_of_a_dead_run_is_waited_for(source: str, target: str) -> None:
    await fill(source, RECORDS)
    async with await open_engine(source) as engine:
        await engine.acquire("wa-migrate 77 (pid 1 on here)", 0.05)

        assert (await copy(source, target)).outcome == "moved"


async def test_a_live_target_is_refused(source: str, target: str) -> None:
    await fill(source, RECORDS)
    async with await open_engine(target) as engine, await engine.acquire("worker 7", 60):
        with pytest.raises(LeaseHeldError, match="worker 7"):
            await copy(source, target, takeover=True, patience_s=0)

    assert await opens(source)
