"""Sealed stores: nothing of them is plain, and their head is hidden from everybody."""

from __future__ import annotations

import asyncio
import secrets

import pytest
from seal_bench.stores import (
    KEYS,
    first_key,
    sealed,
)
from wa_core.errors import (
    CorruptRecordError,
    InvalidKeyError,
    ReadOnlyError,
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
    MemoryEngine,
    MemoryStore,
    ThreeMethodEngine,
    TracedEngine,
    WrapperEngine,
    list_sessions,
    open_engine,
)


@pytest.fixture(autouse=True)
def _key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_TEST_KEY", KEYS[0])
    monkeypatch.setenv("WA_OTHER_KEY", new_key())


@pytest.fixture
def place() -> str:
    return f"memory:{secrets.token_hex(8)}"


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


async def test_clear_leaves_the_head_for_those_who_know_it() -> None:
    store = MemoryStore()
    one, other = await sealed(store), await sealed(store)
    await one.set("a/b", b"1")
    assert await other.get("a/b") == b"1"

    await one.clear()
    await other.set("c", b"2")

    assert set(store.values) == {HEAD_KEY, "c"}
    assert await one.get("c") == await (await sealed(store)).get("c") == b"2"


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


async def test_an_engine_of_three_methods_can_be_sealed() -> None:
    plain = Plain()
    engine = await SealedEngine.open(plain, first_key)

    await engine.set("a", b"1")
    await engine.set("b/c", b"2")

    assert set(plain.values) == {"a", "b/c", HEAD_KEY}
    assert await (await SealedEngine.open(plain, first_key)).get("b/c") == b"2"
    assert sorted(await engine.list()) == ["a", "b/c"]
    assert sorted(await engine.list(offset=1) + await engine.list(limit=1)) == ["a", "b/c"]
    assert not engine.capabilities.claims >= FULL


async def test_a_reader_reads_what_is_sealed_and_writes_nothing(place: str) -> None:
    async with await open_engine(f"{place}?seal=env:WA_TEST_KEY") as engine:
        await engine.set("a", b"1")

    async with await open_engine(f"{place}?seal=env:WA_TEST_KEY", read_only=True) as reader:
        assert await reader.get("a") == b"1"
        with pytest.raises(ReadOnlyError):
            await reader.set("a", b"2")


async def test_a_passphrase_seals_as_well_as_a_key() -> None:
    store = MemoryStore()
    engine = await sealed(store, lambda: "correct horse battery")
    await engine.set("a", b"1")

    assert await (await sealed(store, lambda: "correct horse battery\n")).get("a") == b"1"
    for wrong in ("correct horse batterie", KEYS[0]):
        with pytest.raises(WrongKeyError):
            await sealed(store, lambda wrong=wrong: wrong)  # type: ignore[misc]


async def test_what_a_seal_is_can_be_told_without_first_key() -> None:
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
    engine = await SealedEngine.open(inner, first_key)

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


def test_nothing_but_what_sees_no_value_goes_past_the_seal() -> None:
    handed_on = {
        name
        for name, member in vars(WrapperEngine).items()
        if callable(member) and not name.startswith("__")
    }

    assert handed_on - set(vars(SealedEngine)) == {"_close", "_holder", "_release", "_renew"}
