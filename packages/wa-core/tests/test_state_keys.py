"""Keys by kind and id: what Baileys stores, byte for byte, and nothing else touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from state_bench.identities import some_creds
from wa_core.errors import CorruptRecordError, InvalidKeyError, UsageError, ValueTooLargeError
from wa_core.state import AuthState
from wa_core.storage import MemoryEngine
from wa_core.storage.layouts import CREDS, KINDS

IDS = ["1", "AABS/Pm+tu=", "120363@g.us::1_1::0", "100_1.0", "..", "", "a%2Fb", "ñ 🙂", "x_reverse"]


@pytest.fixture
async def state() -> AuthState:
    return await AuthState.open(MemoryEngine(), create=True, mint=some_creds)


@pytest.mark.parametrize("kind", [*KINDS, "from-the-future"])
async def test_every_kind_and_id_comes_back(state: AuthState, kind: str) -> None:
    records = {ident: {"place": place, "bytes": b"\x00"} for place, ident in enumerate(IDS)}

    await state.keys.set({kind: records})

    assert await state.keys.get(kind, [*IDS, "absent"]) == records
    assert sorted(await state.keys.ids(kind)) == sorted(IDS)
    assert await state.keys.get("other", IDS) == {}


async def test_bytes_are_spelt_as_baileys_spells_them(state: AuthState) -> None:
    await state.keys.set({"pre-key": {"7": {"private": b"p", "public": b"q"}}})

    assert await state.engine.get("session/pre-key/7") == (
        b'{"private":{"type":"Buffer","data":"cA=="},"public":{"type":"Buffer","data":"cQ=="}}'
    )


async def test_none_deletes_that_record_alone(state: AuthState) -> None:
    await state.keys.set({"session": {"1": "a", "10": "b", "1.0": "c"}})

    await state.keys.set({"session": {"1": None, "absent": None}})

    assert await state.keys.get("session", ["1", "10", "1.0"]) == {"10": "b", "1.0": "c"}


async def test_a_value_belongs_to_who_read_it(state: AuthState) -> None:
    given_away = {"chain": [1]}
    await state.keys.set({"session": {"1": given_away}})
    given_away["chain"].append(2)
    first = await state.keys.get("session", ["1"])
    first["1"]["chain"].append(3)

    again = await state.keys.get("session", ["1"])

    assert again == {"1": {"chain": [1]}}


async def test_a_stored_null_is_absent(state: AuthState) -> None:
    await state.engine.set("session/session/1", b"null")

    assert await state.keys.get("session", ["1"]) == {}


async def test_a_record_that_is_no_json_is_damaged(state: AuthState) -> None:
    await state.engine.set("session/session/1", b'{"cut')

    with pytest.raises(CorruptRecordError) as caught:
        await state.keys.get("session", ["1"])

    assert caught.value.key == "session/session/1"


async def test_clearing_keeps_the_credentials_and_what_is_no_key(state: AuthState) -> None:
    await state.engine.set("contact/1/index", b"1")
    await state.keys.set({"session": {"1": "a"}, "from-the-future": {"x": 1}})

    await state.keys.clear()

    assert sorted(await state.engine.list(limit=None)) == ["contact/1/index", CREDS]
    assert await state.engine.get(CREDS) == state.creds.to_bytes()


async def test_what_cannot_be_written_is_refused_before_anything_is(state: AuthState) -> None:
    limit = state.engine.capabilities.max_value
    wrong = [
        ({"session": {"1": "a", "2": "x" * limit}}, ValueTooLargeError),
        ({"session": {"1": "a", "2": object()}}, TypeError),
        ({"session": {"1": "a", "2" * 600: "b"}}, InvalidKeyError),
        ({"session": {"1": "a", 2: "b"}}, UsageError),
    ]

    for changes, error in wrong:
        with pytest.raises(error):
            await state.keys.set(changes)  # type: ignore[arg-type]

    assert await state.engine.list(limit=None) == [CREDS]


VALUES = st.recursive(
    st.booleans() | st.integers() | st.text() | st.binary(),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text("abc"), parts, max_size=3),
    max_leaves=8,
)


@given(kind=st.text(max_size=20), ident=st.text(max_size=20), value=VALUES)
async def test_any_record_comes_back(kind: str, ident: str, value: object) -> None:
    state = await AuthState.open(MemoryEngine(), create=True, mint=some_creds)

    await state.keys.set({kind: {ident: value}})

    assert await state.keys.get(kind, [ident]) == {ident: value}
    assert await state.keys.ids(kind) == [ident]


async def test_a_closed_state_refuses_everything(state: AuthState) -> None:
    await state.close()
    await state.close()

    for call in (
        state.keys.get("session", ["1"]),
        state.keys.set({"session": {"1": "a"}}),
        state.keys.clear(),
        state.flush(),
        state.update_creds(lambda creds: creds),
        state.transaction().__aenter__(),
    ):
        with pytest.raises(UsageError, match="closed"):
            await call
