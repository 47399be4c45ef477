"""The text of an auth state: every value a slice of it, whatever way the keys are grouped."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wa_core.errors import CorruptRecordError, UnsupportedError
from wa_core.storage.layouts import CREDS, KINDS, key_of
from wa_engine_mongo.layouts import rawjson
from wa_engine_mongo.layouts.state import AuthText, has_place

pytestmark = pytest.mark.once

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
SPACED = st.sampled_from([(", ", ": "), (",", ":"), (" ,\n", "\t:\r")])
ODD = '{"b" : 1.0,"a":[1e2,"\\u00f1","\\ud800"],"b":{"type":"Buffer","data":"AA=="}}'


@given(st.dictionaries(st.text(), JSON), SPACED, st.booleans())
def test_members_are_what_json_makes_of_them(
    value: dict[str, object], separators: tuple[str, str], ascii_only: bool
) -> None:
    text = json.dumps(value, separators=separators, ensure_ascii=ascii_only)

    found = rawjson.members(text)

    assert {name: json.loads(raw) for name, raw in found.items()} == value
    assert all(raw in text for raw in found.values())
    assert rawjson.members(rawjson.written(found)) == found


@pytest.mark.parametrize(
    "text",
    ["", "[]", "1", "{", "{}x", '{"a"}', '{"a":}', '{"a":1,}', "{1:2}", '{"a":NaN}', '{"a":1 2}'],
)
def test_what_is_no_object_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own among them
        rawjson.members(text)


@given(st.dictionaries(st.sampled_from(KINDS), st.dictionaries(st.text(max_size=20), JSON)))
def test_what_was_put_is_read_from_the_text(kinds: dict[str, dict[str, object]]) -> None:
    values = {
        key_of(kind, ident): json.dumps(value).encode()
        for kind, found in kinds.items()
        for ident, value in found.items()
        if value is not None
    }
    state = AuthText()
    for key, value in values.items():
        state.put(key, value)

    again = AuthText.read(state.text())

    assert {key: again.get(key) for key in again.records()} == values


def test_values_stay_as_they_were_written_whatever_else_changes() -> None:
    state = AuthText.read(f'{{"keys":{{"tctoken":{{"x":{ODD}}}}},"creds":{ODD},"more":{ODD}}}')

    state.put(key_of("pre-key", "1"), b" [1.50]\n")

    again = AuthText.read(state.text())
    assert again.get(CREDS) == again.get(key_of("tctoken", "x")) == ODD.encode()
    assert again.get(key_of("pre-key", "1")) == b"[1.50]"
    assert f'"more":{ODD}' in again.text()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"preKeys":{"1":{}}}', '{"preKeys":{"1":{},"2":[]},"device-list":{"x":[]}}'),
        ('{"pre-key":{"1":{}}}', '{"pre-key":{"1":{},"2":[]},"device-list":{"x":[]}}'),
        ('{"pre-key-1":{}}', '{"pre-key-1":{},"pre-key-2":[],"device-list-x":[]}'),
    ],
)
def test_keys_stay_grouped_as_they_were_found(before: str, after: str) -> None:
    state = AuthText.read(f'{{"creds":{{}},"keys":{before}}}')
    assert state.records() == [CREDS, key_of("pre-key", "1")]

    state.put(key_of("pre-key", "2"), b"[]")
    state.put(key_of("device-list", "x"), b"[]")

    assert state.text() == f'{{"creds":{{}},"keys":{after}}}'


def test_a_deleted_key_is_null_or_gone() -> None:
    state = AuthText.read('{"creds":{},"keys":{"preKeys":{"1":null,"2":{}},"sessions":null}}')

    state.delete(key_of("pre-key", "2"))

    assert state.records() == [CREDS]
    assert not has_place(key_of("preKeys", "1"))


def test_an_id_that_reads_as_another_kind_keeps_its_own_group() -> None:
    state = AuthText.read('{"keys":{"pre-key-1":{}}}')
    keys = [key_of("sender-key", "memory-x"), key_of("sender-key", "memory")]

    for key in keys:
        state.put(key, b"{}")

    assert AuthText.read(state.text()).records() == [*keys, key_of("pre-key", "1")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"noiseKey":{},"me":{"id":"1:2@s.whatsapp.net"}}',
        '{"creds":null}',
        '{"creds":{},"keys":[]}',
        '{"creds":{},"keys":{"pre-key":"x"}}',
        '{"creds":{},"keys":{"pre-key":{"1":{}},"preKeys":{"1":{}}}}',
        '{"creds":{"noiseKey":',
        '{"creds":' + "[" * 100_000,
    ],
)
def test_a_text_that_is_no_auth_state_is_never_an_empty_one(text: str) -> None:
    with pytest.raises(CorruptRecordError):
        AuthText.read(text)


@pytest.mark.parametrize("value", [b"", b"{", b"{}{}", b"\xff", b"null", b"NaN"])
def test_what_could_not_be_read_back_is_refused(value: bytes) -> None:
    with pytest.raises(UnsupportedError):
        AuthText().put(CREDS, value)
