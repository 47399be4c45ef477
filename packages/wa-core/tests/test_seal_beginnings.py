"""How a store becomes a sealed one: by whoever writes first, and without its key not at all."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from seal_bench.stores import (
    KEYS,
    Watching,
    first_key,
    sealed,
)
from wa_core.errors import (
    CorruptRecordError,
    EngineClosedError,
    EngineConfigError,
    EngineUnavailableError,
    InvalidUrlError,
    KeyUnavailableError,
    LeaseHeldError,
    UnsealedStoreError,
    WrongKeyError,
)
from wa_core.seal import HEAD_KEY, SealedEngine, new_key
from wa_core.storage import (
    Batch,
    CachedEngine,
    Engine,
    Lease,
    MemoryEngine,
    MemoryStore,
    Operation,
    WrapperEngine,
    list_sessions,
    open_engine,
)


class WriterAlone(MemoryEngine):
    """Says that it takes one writer, as the file engine does."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self._capabilities = replace(self._capabilities, shared=False)


@pytest.fixture(autouse=True)
def _key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_TEST_KEY", KEYS[0])
    monkeypatch.setenv("WA_OTHER_KEY", new_key())


@pytest.fixture
def place() -> str:
    return f"memory:{secrets.token_hex(8)}"


async def test_opening_and_reading_an_empty_store_writes_nothing() -> None:
    store = MemoryStore()

    async with await sealed(store) as engine:
        assert await engine.get("a") is None
        assert await engine.list() == []
        assert await engine.count() == 0
        assert [entry async for entry in engine.scan()] == []
        await engine.clear()

    assert store.values == {}


async def test_the_first_write_makes_the_head_under_a_lease() -> None:
    watched = Watching(MemoryEngine())
    engine = await SealedEngine.open(watched, first_key)

    await engine.set("a", b"1")
    await engine.set("b", b"2")

    assert watched.written == [HEAD_KEY, "a", "b"]
    assert watched.fenced == [True, False, False]
    async with await engine.acquire("the next", 5):
        await engine.set("c", b"3")


async def test_the_lease_of_the_first_writer_is_the_one_the_head_is_made_under() -> None:
    watched = Watching(MemoryEngine())
    engine = await SealedEngine.open(watched, first_key)

    async with await engine.acquire("a worker", 60) as lease:
        await engine.apply(Batch().put("a", b"1"), fence=lease)
        other = await SealedEngine.open(watched, first_key)
        await other.set("b", b"2")

    assert watched.written == [HEAD_KEY, "a", "b"]
    assert await other.get_many(["a", "b"]) == {"a": b"1", "b": b"2"}


async def test_many_who_begin_at_once_begin_one_session() -> None:
    store = MemoryStore()
    engines = [await sealed(store) for _ in range(8)]

    await asyncio.gather(*(engine.set(f"k{n}", b"%d" % n) for n, engine in enumerate(engines)))

    for engine in [*engines, await sealed(store)]:
        assert await engine.get_many([f"k{n}" for n in range(8)]) == {
            f"k{n}": b"%d" % n for n in range(8)
        }


async def test_a_session_is_not_begun_while_somebody_without_first_key_holds_it() -> None:
    store = MemoryStore()
    plain = MemoryEngine(store, timeout=0.2)
    engine = await SealedEngine.open(plain, first_key)

    async with await MemoryEngine(store).acquire("a worker without a key", 60):
        with pytest.raises(LeaseHeldError, match="a worker without a key"):
            await engine.set("a", b"1")

    assert store.values == {}
    await engine.set("a", b"1")
    assert await (await sealed(store)).get("a") == b"1"


async def test_a_head_whose_answer_was_lost_is_the_head() -> None:
    store = MemoryStore()
    watched = Watching(MemoryEngine(store))
    engine = await SealedEngine.open(watched, first_key)
    watched.lose_answers = 1

    with pytest.raises(EngineUnavailableError):
        await engine.set("a", b"1")
    made = store.values[HEAD_KEY]
    await engine.set("a", b"1")

    assert store.values[HEAD_KEY] == made
    assert await (await sealed(store)).get("a") == b"1"


async def test_a_head_that_lands_late_is_the_one_that_is_made_again() -> None:
    store = MemoryStore()
    engine = await SealedEngine.open(MemoryEngine(store, timeout=0.05), first_key)
    await engine.get("x")
    landed: list[bytes] = []

    class Late(MemoryEngine):
        async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
            if operations[0].key == HEAD_KEY and not landed:
                landed.append(getattr(operations[0], "value"))  # noqa: B009 - a Put
                raise EngineUnavailableError("it lands later")
            await super()._apply(operations, fence)

    engine = await SealedEngine.open(Late(store), first_key)
    with pytest.raises(EngineUnavailableError):
        await engine.set("a", b"1")
    await engine.set("a", b"1")

    assert store.values[HEAD_KEY] == landed[0]


@pytest.mark.parametrize("write", ["set", "clear", "acquire"])
async def test_a_wrong_key_opens_nothing_and_writes_nothing(write: str, place: str) -> None:
    async with await open_engine(f"{place}?seal=env:WA_TEST_KEY") as engine:
        await engine.set("session/creds", b"1")
    before = [entry.value async for entry in (await open_engine(place)).scan()]

    with pytest.raises(WrongKeyError):
        getattr(await open_engine(f"{place}?seal=env:WA_OTHER_KEY"), write)
    with pytest.raises(KeyUnavailableError, match="env:WA_NO_KEY"):
        await open_engine(f"{place}?seal=env:WA_NO_KEY")

    assert [entry.value async for entry in (await open_engine(place)).scan()] == before


async def test_a_lost_key_is_noticed_before_the_first_write(place: str) -> None:
    with pytest.raises(KeyUnavailableError):
        await open_engine(f"{place}?seal=env:WA_NO_KEY")

    assert await list_sessions(place) == []


async def test_a_store_with_plain_records_is_not_sealed_in_passing(place: str) -> None:
    async with await open_engine(place) as engine:
        await engine.set("a", b"plain")

    with pytest.raises(UnsealedStoreError, match="wa-migrate"):
        await open_engine(f"{place}?seal=env:WA_TEST_KEY")


async def test_plain_records_that_come_before_the_seal_stop_it() -> None:
    store = MemoryStore()
    engine = await sealed(store)
    await MemoryEngine(store).set("a", b"plain")

    for call in (engine.get("a"), engine.set("b", b""), engine.count(), anext(engine.scan())):
        with pytest.raises(UnsealedStoreError):
            await call
    assert set(store.values) == {"a"}


async def test_a_head_that_was_taken_away_stops_every_writer() -> None:
    store = MemoryStore()
    engine = await sealed(store)
    await engine.set("a", b"1")
    await MemoryEngine(store).set(HEAD_KEY, None)

    with pytest.raises(CorruptRecordError, match="gone"):
        await engine.set("b", b"2")

    assert set(store.values) == {"a"}


async def test_an_older_head_put_back_is_noticed_by_whoever_saw_the_newer() -> None:
    store = MemoryStore()
    engine = await sealed(store)
    await engine.set("a", b"1")
    older = store.values[HEAD_KEY]
    keys = await engine.keeper.newest()
    await engine.keeper.replace(keys.grown(), None)
    await MemoryEngine(store).set(HEAD_KEY, older)

    with pytest.raises(CorruptRecordError, match="older"):
        await engine.set("b", b"2")


@pytest.mark.parametrize("reads", [False, True])
async def test_a_clear_that_lands_late_takes_no_head_from_what_is_written_after_it(
    reads: bool,
) -> None:
    class Late(WrapperEngine):
        clears = 0

        async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
            if self.clears:
                self.clears = 0
                await super()._clear()
            await super()._apply(operations, fence)

        async def _clear(self) -> None:
            self.clears += 1
            raise EngineUnavailableError("it lands before the next write")

    store = MemoryStore()
    for inner in (Late(MemoryEngine(store)), Late(WriterAlone(store))):
        engine = await sealed(inner)
        await engine.set("a", b"1")

        with pytest.raises(EngineUnavailableError):
            await engine.clear()
        if reads:
            assert await engine.get("a") == b"1"
        await engine.set("b", b"2")

        assert set(store.values) == {HEAD_KEY, "b"}
        assert await engine.get("b") == await (await sealed(store)).get("b") == b"2"


async def test_a_clear_that_failed_half_way_is_made_whole_by_the_next_write() -> None:
    store = MemoryStore()
    watched = Watching(MemoryEngine(store))
    engine = await SealedEngine.open(watched, first_key)
    await engine.set("a", b"1")
    head = store.values[HEAD_KEY]
    watched.lose_answers = 1

    with pytest.raises(EngineUnavailableError):
        await engine.clear()
    await MemoryEngine(store).clear()
    await engine.set("b", b"2")

    assert store.values[HEAD_KEY] == head
    assert await (await sealed(store)).get("b") == b"2"


async def test_the_layouts_of_other_tools_and_sealed_stores_are_not_sealed(tmp_path: Path) -> None:
    with pytest.raises(EngineConfigError, match="layout of another tool"):
        await open_engine(f"baileys:{tmp_path}/auth?seal=env:WA_TEST_KEY")
    with pytest.raises(EngineConfigError, match="sealed already"):
        await SealedEngine.open(CachedEngine(await sealed(MemoryStore())), first_key)


async def test_a_store_that_cannot_be_opened_sealed_is_closed_again(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await open_engine(place) as engine:
        await engine.set("a", b"plain")
    closed: list[Engine] = []

    async def close(engine: Engine) -> None:
        closed.append(engine)

    monkeypatch.setattr(MemoryEngine, "_close", close)
    with pytest.raises(UnsealedStoreError):
        await open_engine(f"{place}?seal=env:WA_TEST_KEY")

    with pytest.raises(EngineClosedError):
        await closed[0].get("a")


async def test_a_reader_that_was_there_before_the_first_write_sees_it(place: str) -> None:
    url = f"{place}?seal=env:WA_TEST_KEY"
    async with (
        await open_engine(url, read_only=True) as early,
        await open_engine(url, read_only=True) as scanning,
        await open_engine(url) as writer,
    ):
        assert await early.get("a") is None
        await writer.set("a", b"1")

        assert await early.get("a") == b"1"
        assert [entry.value async for entry in scanning.scan()] == [b"1"]
        assert await scanning.count() == 1


async def test_a_seal_that_names_no_place_of_a_key_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(InvalidUrlError, match="keyring:SERVICE/NAME"):
        await open_engine("memory:never?seal=hunter2hunter2")
