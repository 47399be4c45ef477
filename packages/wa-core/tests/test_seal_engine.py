"""Sealed stores: nothing of them is plain, their head is hidden, and no key means no write."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from wa_core.crypto.derivation import Cost
from wa_core.errors import (
    CorruptRecordError,
    EngineClosedError,
    EngineConfigError,
    EngineUnavailableError,
    InvalidKeyError,
    InvalidUrlError,
    KeyUnavailableError,
    LeaseHeldError,
    ReadOnlyError,
    UnsealedStoreError,
    ValueTooLargeError,
    WrongKeyError,
)
from wa_core.seal import HEAD_KEY, SealedEngine, describe, new_key, sealed_in
from wa_core.seal.record import OVERHEAD
from wa_core.storage import (
    FULL,
    MAX_POSITION,
    MIN_MAX_VALUE,
    Batch,
    CachedEngine,
    Engine,
    Lease,
    MemoryEngine,
    MemoryStore,
    Operation,
    ThreeMethodEngine,
    TracedEngine,
    WrapperEngine,
    list_sessions,
    open_engine,
)

KEY = new_key()
CHEAP = Cost(n=2, r=1, p=1)


def the_key() -> str:
    return KEY


@pytest.fixture(autouse=True)
def _key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_TEST_KEY", KEY)
    monkeypatch.setenv("WA_OTHER_KEY", new_key())


@pytest.fixture
def place() -> str:
    return f"memory:{secrets.token_hex(8)}"


async def sealed(store: MemoryStore, key: Callable[[], str] = the_key) -> SealedEngine:
    return await SealedEngine.open(MemoryEngine(store), key, cost=CHEAP)


class Watching(WrapperEngine):
    """Writes down which writes went through, and can answer late."""

    def __init__(self, inner: Engine) -> None:
        super().__init__(inner)
        self.written: list[str] = []
        self.fenced: list[bool] = []
        self.lose_answers = 0

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(operations, fence)
        self.written += [operation.key for operation in operations]
        self.fenced.append(fence is not None)
        if self.lose_answers:
            self.lose_answers -= 1
            raise EngineUnavailableError("the answer was lost")


async def test_values_are_sealed_and_names_and_positions_are_not() -> None:
    store = MemoryStore()
    engine = await sealed(store)

    await engine.apply(Batch().put("session/creds", b"the secret", at=7).put("a", b""))

    plain = MemoryEngine(store)
    assert await engine.get_many(["session/creds", "a", "b"]) == {
        "session/creds": b"the secret",
        "a": b"",
    }
    assert [(entry.key, entry.value) async for entry in engine.scan("session/")] == [
        ("session/creds", b"the secret")
    ]
    assert sorted(await plain.list()) == ["a", "session/creds", HEAD_KEY]
    assert all(b"the secret" not in value for value in store.values.values())
    assert {entry.key: entry.at async for entry in plain.scan()}["session/creds"] == 7


async def test_the_head_is_in_no_list_count_scan_or_read() -> None:
    store = MemoryStore()
    engine = await sealed(store)
    names = [f"wa-{number:02}" for number in range(10)] + ["wa", "w", "x", "wa-seal/below"]
    for name in names:
        await engine.set(name, name)

    for prefix in ("", "w", "wa", "wa-", "wa-s", "wa-sea", "wa-seal", "wa-seal/", "x"):
        expected = [name for name in reversed(names) if name.startswith(prefix)]
        assert await engine.list(prefix, limit=None) == expected
        assert await engine.count(prefix) == len(expected)
        assert {entry.key async for entry in engine.scan(prefix)} == set(expected)
        for limit in (1, 2, 3, 5, 50):
            pages = [await engine.list(prefix, at, limit) for at in range(0, 20, limit)]
            assert [name for page in pages for name in page] == expected
        for offset in range(16):
            assert await engine.list(prefix, offset, limit=None) == expected[offset:]
    assert await engine.get(HEAD_KEY) is None
    assert await engine.get_many([HEAD_KEY, "w"]) == {"w": b"w"}
    assert await engine.list(limit=0) == []


async def test_records_at_the_greatest_position_keep_their_places_beside_the_head() -> None:
    store = MemoryStore()
    engine = await sealed(store)
    first, last = ["a", "wa", "wa-", "wa-seaa"], ["wa-seal/x", "wa-seam", "z"]
    for name in [*first, *last]:
        await engine.set(name, b"", at=MAX_POSITION)
    await engine.set("wa-low", b"", at=1)

    for prefix in ("", "w", "wa-", "wa-seal", "z"):
        expected = [name for name in [*first, *last, "wa-low"] if name.startswith(prefix)]
        for limit in (1, 2, 3, 20):
            pages = [await engine.list(prefix, at, limit) for at in range(0, 12, limit)]
            assert [name for page in pages for name in page] == expected


@pytest.mark.parametrize("batch", [Batch().put(HEAD_KEY, b"x"), Batch().delete(HEAD_KEY)])
async def test_the_head_cannot_be_written_from_outside(batch: Batch) -> None:
    store = MemoryStore()
    engine = await sealed(store)
    await engine.set("a", b"1")
    before = dict(store.values)

    with pytest.raises(InvalidKeyError, match="seal of the session"):
        await engine.apply(Batch().put("b", b"2").extend(batch))

    assert store.values == before


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
    engine = await SealedEngine.open(watched, the_key)

    await engine.set("a", b"1")
    await engine.set("b", b"2")

    assert watched.written == [HEAD_KEY, "a", "b"]
    assert watched.fenced == [True, False, False]
    async with await engine.acquire("the next", 5):
        await engine.set("c", b"3")


async def test_the_lease_of_the_first_writer_is_the_one_the_head_is_made_under() -> None:
    watched = Watching(MemoryEngine())
    engine = await SealedEngine.open(watched, the_key)

    async with await engine.acquire("a worker", 60) as lease:
        await engine.apply(Batch().put("a", b"1"), fence=lease)
        other = await SealedEngine.open(watched, the_key)
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


async def test_a_session_is_not_begun_while_somebody_without_the_key_holds_it() -> None:
    store = MemoryStore()
    plain = MemoryEngine(store, timeout=0.2)
    engine = await SealedEngine.open(plain, the_key)

    async with await MemoryEngine(store).acquire("a worker without a key", 60):
        with pytest.raises(LeaseHeldError, match="a worker without a key"):
            await engine.set("a", b"1")

    assert store.values == {}
    await engine.set("a", b"1")
    assert await (await sealed(store)).get("a") == b"1"


async def test_a_head_whose_answer_was_lost_is_the_head() -> None:
    store = MemoryStore()
    watched = Watching(MemoryEngine(store))
    engine = await SealedEngine.open(watched, the_key)
    watched.lose_answers = 1

    with pytest.raises(EngineUnavailableError):
        await engine.set("a", b"1")
    made = store.values[HEAD_KEY]
    await engine.set("a", b"1")

    assert store.values[HEAD_KEY] == made
    assert await (await sealed(store)).get("a") == b"1"


async def test_a_head_that_lands_late_is_the_one_that_is_made_again() -> None:
    store = MemoryStore()
    engine = await SealedEngine.open(MemoryEngine(store, timeout=0.05), the_key)
    await engine.get("x")
    landed: list[bytes] = []

    class Late(MemoryEngine):
        async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
            if operations[0].key == HEAD_KEY and not landed:
                landed.append(getattr(operations[0], "value"))  # noqa: B009 - a Put
                raise EngineUnavailableError("it lands later")
            await super()._apply(operations, fence)

    engine = await SealedEngine.open(Late(store), the_key)
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


async def test_clear_leaves_the_head_for_those_who_know_it() -> None:
    store = MemoryStore()
    one, other = await sealed(store), await sealed(store)
    await one.set("a/b", b"1")
    assert await other.get("a/b") == b"1"

    await one.clear()
    await other.set("c", b"2")

    assert set(store.values) == {HEAD_KEY, "c"}
    assert await one.get("c") == await (await sealed(store)).get("c") == b"2"


async def test_a_clear_that_failed_half_way_is_made_whole_by_the_next_write() -> None:
    store = MemoryStore()
    watched = Watching(MemoryEngine(store))
    engine = await SealedEngine.open(watched, the_key)
    await engine.set("a", b"1")
    head = store.values[HEAD_KEY]
    watched.lose_answers = 1

    with pytest.raises(EngineUnavailableError):
        await engine.clear()
    await MemoryEngine(store).clear()
    await engine.set("b", b"2")

    assert store.values[HEAD_KEY] == head
    assert await (await sealed(store)).get("b") == b"2"


async def test_list_sessions_names_none_that_has_its_head_alone(place: str) -> None:
    for name in ("cleared", "kept", "other-key", "plain"):
        key = "WA_OTHER_KEY" if name == "other-key" else "WA_TEST_KEY"
        seal = "" if name == "plain" else f"?seal=env:{key}"
        async with await open_engine(f"{place}{seal}#{name}") as engine:
            await engine.set("a", b"1")
            if name == "cleared":
                await engine.clear()

    assert await list_sessions(f"{place}?seal=env:WA_TEST_KEY") == ["kept", "other-key", "plain"]
    assert await list_sessions(place) == ["cleared", "kept", "other-key", "plain"]


async def test_a_sealed_engine_takes_what_the_contract_asks_for() -> None:
    engine = await sealed(MemoryStore())

    limit = engine.capabilities.max_value
    assert limit == engine.inner.capabilities.max_value - OVERHEAD >= MIN_MAX_VALUE
    assert engine.capabilities.claims == engine.inner.capabilities.claims - {"Y1", "Y2", "Y3"}
    assert "V1" in engine.capabilities.claims
    await engine.set("a", bytes(limit))
    with pytest.raises(ValueTooLargeError):
        await engine.set("a", bytes(limit + 1))


class Plain(ThreeMethodEngine):
    """The least that an engine can be: it orders nothing and knows no leases."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, bytes] = {}

    async def read(self, key: str) -> bytes | None:
        return self.values.get(key)

    async def write(self, key: str, value: bytes | None, at: int | None) -> None:
        self.values.pop(key, None)
        if value is not None:
            self.values[key] = value

    async def page(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        found = [key for key in self.values if key.startswith(prefix)]
        return found[offset:] if limit is None else found[offset : offset + limit]


async def test_an_engine_of_three_methods_can_be_sealed() -> None:
    plain = Plain()
    engine = await SealedEngine.open(plain, the_key)

    await engine.set("a", b"1")
    await engine.set("b/c", b"2")

    assert set(plain.values) == {"a", "b/c", HEAD_KEY}
    assert await (await SealedEngine.open(plain, the_key)).get("b/c") == b"2"
    assert sorted(await engine.list()) == ["a", "b/c"]
    assert sorted(await engine.list(offset=1) + await engine.list(limit=1)) == ["a", "b/c"]
    assert not engine.capabilities.claims >= FULL


async def test_the_layouts_of_other_tools_and_sealed_stores_are_not_sealed(tmp_path: Path) -> None:
    with pytest.raises(EngineConfigError, match="layout of another tool"):
        await open_engine(f"baileys:{tmp_path}/auth?seal=env:WA_TEST_KEY")
    with pytest.raises(EngineConfigError, match="sealed already"):
        await SealedEngine.open(CachedEngine(await sealed(MemoryStore())), the_key)


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


async def test_a_reader_reads_what_is_sealed_and_writes_nothing(place: str) -> None:
    async with await open_engine(f"{place}?seal=env:WA_TEST_KEY") as engine:
        await engine.set("a", b"1")

    async with await open_engine(f"{place}?seal=env:WA_TEST_KEY", read_only=True) as reader:
        assert await reader.get("a") == b"1"
        with pytest.raises(ReadOnlyError):
            await reader.set("a", b"2")


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


async def test_a_passphrase_seals_as_well_as_a_key() -> None:
    store = MemoryStore()
    engine = await sealed(store, lambda: "correct horse battery")
    await engine.set("a", b"1")

    assert await (await sealed(store, lambda: "correct horse battery\n")).get("a") == b"1"
    for wrong in ("correct horse batterie", KEY):
        with pytest.raises(WrongKeyError):
            await sealed(store, lambda wrong=wrong: wrong)  # type: ignore[misc]


async def test_what_a_seal_is_can_be_told_without_the_key() -> None:
    store = MemoryStore()
    assert await describe(MemoryEngine(store)) is None
    engine = await sealed(store, lambda: "correct horse battery")
    await engine.set("a", b"1")

    told = await describe(MemoryEngine(store))

    assert told is not None
    assert told == await describe(engine) == await describe(CachedEngine(engine))
    assert (told.has_passphrase, told.generation, told.is_rotating) == (True, 1, False)
    assert not told.is_due


async def test_a_sealed_engine_is_found_behind_other_wrappers() -> None:
    engine = await sealed(MemoryStore())

    assert sealed_in(TracedEngine(CachedEngine(engine))) is engine
    assert sealed_in(TracedEngine(MemoryEngine())) is None


async def test_batches_keep_their_order_through_the_seal() -> None:
    inner = MemoryEngine()
    engine = await SealedEngine.open(inner, the_key)

    await asyncio.gather(*(engine.set("a", b"%d" % n) for n in range(50)))
    inner.store.stall()
    writes = [asyncio.create_task(engine.set("a", b"late %d" % n)) for n in range(50)]
    await asyncio.sleep(0)
    inner.store.resume()
    await asyncio.gather(*writes)

    assert await engine.get("a") == b"late 49"


async def test_damage_behind_the_seal_is_damage_in_every_read() -> None:
    store = MemoryStore()
    engine = await sealed(store)
    await engine.apply(Batch().put("a", b"1").put("b", b"2"))
    store.values["a"], store.values["b"] = store.values["b"], store.values["a"]

    for call in (engine.get("a"), engine.get_many(["b"]), anext(engine.scan())):
        with pytest.raises(CorruptRecordError):
            await call


async def test_a_seal_that_names_no_place_of_a_key_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(InvalidUrlError, match="keyring:SERVICE/NAME"):
        await open_engine("memory:never?seal=hunter2hunter2")
