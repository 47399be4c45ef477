"""Transactions: reads see the writes, the end is one batch, and no write is lost without a word."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import pytest
from state_bench.engines import FaultyEngine
from state_bench.identities import some_creds
from state_bench.peers import count_up
from wa_core.errors import EngineUnavailableError, FencedError, TransactionError
from wa_core.state import BATCHED, AuthState, Creds
from wa_core.storage import MemoryEngine, MemoryStore


def android(creds: Creds) -> Creds:
    return replace(creds, platform="android")


async def opened(store: MemoryStore | None = None) -> tuple[AuthState, FaultyEngine]:
    engine = FaultyEngine(MemoryEngine(store))
    state = await AuthState.open(engine, create=True, mint=some_creds)
    engine.applied = 0
    return state, engine


async def stored(state: AuthState, *ids: str) -> dict[str, object]:
    """Read from the store, past every cache and transaction."""
    async with await AuthState.open(state.engine) as other:
        return await other.keys.get("session", ids)


async def _fail(state: AuthState, name: str, values: dict[str, str]) -> None:
    async with state.transaction(name):
        await state.keys.set({"session": values})
        await state.update_creds(android)
        assert await state.keys.get("session", values) == values
        raise ZeroDivisionError


async def test_reads_see_writes_and_nobody_else_does() -> None:
    state, engine = await opened()
    await state.keys.set({"session": {"1": "old", "2": "old"}})

    async with state.transaction():
        await state.keys.set({"session": {"1": "new", "2": None, "3": "new"}})
        await state.update_creds(android)

        assert await state.keys.get("session", ["1", "2", "3"]) == {"1": "new", "3": "new"}
        assert await state.keys.ids("session") == ["1", "3"]
        assert state.creds.platform == "android"
        assert await stored(state, "1", "2", "3") == {"1": "old", "2": "old"}

    assert await stored(state, "1", "2", "3") == {"1": "new", "3": "new"}
    assert engine.applied == 2


async def test_the_end_is_one_batch_with_the_credentials() -> None:
    state, engine = await opened()

    async with state.transaction():
        for ident in "123":
            await state.keys.set({"session": {ident: ident}})
        await state.update_creds(android)

    assert engine.applied == 1
    assert (await AuthState.open(engine)).creds.platform == "android"


async def test_an_error_rolls_everything_back() -> None:
    state, engine = await opened()

    with pytest.raises(ZeroDivisionError):
        await _fail(state, "1.0", {"1": "new"})

    assert engine.applied == 0
    assert await state.keys.get("session", ["1"]) == {}
    assert state.creds.platform is None
    async with asyncio.timeout(1), state.transaction("1.0"):
        pass


async def test_nested_ones_join_and_their_errors_stay_theirs() -> None:
    state, engine = await opened()

    async with state.transaction("1.0"):
        await state.keys.set({"session": {"1": "outer"}})
        async with state.transaction("1.0", "2.0"):
            await state.keys.set({"session": {"2": "inner"}})
        with pytest.raises(ZeroDivisionError):
            await _fail(state, "3.0", {"1": "wrong", "3": "wrong"})
        assert state.creds.platform is None
        assert await state.keys.get("session", ["1", "2", "3"]) == {"1": "outer", "2": "inner"}

    assert engine.applied == 1
    assert await stored(state, "1", "2", "3") == {"1": "outer", "2": "inner"}


async def test_an_outer_error_takes_the_nested_ones_with_it() -> None:
    state, engine = await opened()

    async def outer() -> None:
        async with state.transaction():
            await count_up(state, "1.0")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await outer()

    assert engine.applied == 0
    assert await state.keys.ids("session") == []


async def test_clearing_joins_like_any_write() -> None:
    state, engine = await opened()
    await state.keys.set({"session": {"1": "old"}, "tctoken": {"x": "old"}})

    async with state.transaction():
        await state.keys.set({"session": {"2": "lost"}})
        async with state.transaction():
            await state.keys.clear()
            await state.keys.set({"session": {"3": "kept"}})
            assert await state.keys.get("session", ["1", "2", "3"]) == {"3": "kept"}
            assert await state.keys.ids("tctoken") == []
        assert await state.keys.ids("session") == ["3"]

    assert await stored(state, "1", "2", "3") == {"3": "kept"}
    assert engine.applied == 2


async def test_tasks_inside_share_it() -> None:
    state, engine = await opened()

    async with state.transaction(), asyncio.TaskGroup() as group:
        for ident in "123":
            group.create_task(state.keys.set({"session": {ident: ident}}))

    assert engine.applied == 1
    assert await stored(state, *"123") == {"1": "1", "2": "2", "3": "3"}


async def test_a_task_that_outlives_it_is_told() -> None:
    state, _ = await opened()
    go_on = asyncio.Event()

    async def late(method: str) -> str:
        await go_on.wait()
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "set": partial(state.keys.set, {"session": {"1": "late"}}),
            "get": partial(state.keys.get, "session", ["1"]),
            "creds": partial(state.update_creds, android),
        }
        with pytest.raises(TransactionError, match="over"):
            await calls[method]()
        async with state.transaction():
            await state.keys.set({"session": {method: "a transaction of its own"}})
        return method

    async with state.transaction():
        tasks = [asyncio.create_task(late(method)) for method in ("set", "get", "creds")]
        await asyncio.sleep(0)
    go_on.set()

    assert await asyncio.gather(*tasks) == ["set", "get", "creds"]
    assert len(await stored(state, "set", "get", "creds", "1")) == 3


async def test_a_nested_one_that_outlives_its_outer_one_is_told() -> None:
    state, engine = await opened()
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def nested() -> None:
        async with state.transaction():
            await state.keys.set({"session": {"1": "late"}})
            inside.set()
            await go_on.wait()

    async with state.transaction():
        task = asyncio.create_task(nested())
        await inside.wait()
    go_on.set()

    with pytest.raises(TransactionError, match="ended first"):
        await task
    assert engine.applied == 0


async def test_two_sessions_in_one_task_do_not_mix() -> None:
    one, engine = await opened()
    other, other_engine = await opened()

    async with one.transaction(), other.transaction():
        await one.keys.set({"session": {"1": "one"}})
        assert await other.keys.get("session", ["1"]) == {}
        await other.keys.set({"session": {"1": "other"}})

    assert (engine.applied, other_engine.applied) == (1, 1)
    assert await stored(one, "1") == {"1": "one"}


async def test_a_failed_commit_fails_its_transaction() -> None:
    state, engine = await opened()
    engine.fault = lambda: "before"

    with pytest.raises(EngineUnavailableError):
        await count_up(state, "1.0")

    engine.fault = lambda: "none"
    async with asyncio.timeout(1), state.transaction("1.0"):
        pass


async def test_every_write_carries_the_lease() -> None:
    engine = MemoryEngine()
    lease = await engine.acquire("worker", 60)
    state = await AuthState.open(engine, create=True, lease=lease, mint=some_creds)
    await state.keys.set({"session": {"1": "ours"}})
    await lease.release()
    taken = await engine.acquire("other", 60)

    for call in (
        state.keys.set({"session": {"1": "late"}}),
        state.update_creds(android),
        state.keys.clear(),
    ):
        with pytest.raises(FencedError):
            await call
    await engine.set("session/session/1", b'"theirs"')

    assert await state.keys.get("session", ["1"]) == {"1": "theirs"}
    assert state.creds.platform is None
    await state.follow(taken)
    await state.keys.set({"session": {"1": "again"}})
    assert await state.keys.get("session", ["1"]) == {"1": "again"}


async def test_a_transaction_is_used_once() -> None:
    state, _ = await opened()
    transaction = state.transaction()

    async with transaction:
        pass

    with pytest.raises(TransactionError):
        await transaction.__aenter__()


async def test_a_change_that_raises_is_its_callers_alone() -> None:
    state, _ = await opened()

    def wrong(creds: Creds) -> Creds:
        raise ZeroDivisionError

    async with state.transaction():
        with pytest.raises(ZeroDivisionError):
            await state.update_creds(wrong)
        with pytest.raises(TypeError):
            await state.update_creds(lambda creds: replace(creds, additional_data=object()))
        await state.update_creds(android)
    results = await asyncio.gather(
        state.update_creds(wrong), state.update_creds(android), return_exceptions=True
    )

    assert isinstance(results[0], ZeroDivisionError)
    assert results[1] is None
    assert state.creds.platform == "android"


async def test_credentials_that_wait_go_before_those_of_a_transaction() -> None:
    engine = MemoryEngine()
    state = await AuthState.open(engine, create=True, mint=some_creds, policy=BATCHED)
    await state.update_creds(lambda creds: replace(creds, account_sync_counter=1))

    async with state.transaction():
        await state.update_creds(
            lambda creds: replace(creds, account_sync_counter=creds.account_sync_counter + 1)
        )

    assert (await AuthState.open(engine)).creds.account_sync_counter == 2
    await state.close()
    assert (await AuthState.open(engine)).creds.account_sync_counter == 2


async def test_flushing_inside_would_leave_its_changes_out_and_is_refused() -> None:
    state, engine = await opened()

    async with state.transaction():
        await state.update_creds(android)
        with pytest.raises(TransactionError, match="after that"):
            await state.flush()

    assert engine.applied == 1
