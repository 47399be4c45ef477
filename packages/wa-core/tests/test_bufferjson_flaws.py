"""A value that is not whole is told from a whole one by its text alone."""

from __future__ import annotations

import pytest
from wa_core.storage.layouts import dumps, json_flaw

WHOLE = dumps({"private": b"\x00\xff", "list": [1, True, None], "text": "ünï", "empty": {}})


def test_what_is_written_has_no_flaw() -> None:
    for value in (WHOLE, b'"15550000001"', b"[]", b'{"type":"Buffer","data":[1,2]}'):
        assert json_flaw(value) is None


def test_a_value_cut_anywhere_has_one() -> None:
    for size in range(len(WHOLE)):
        assert json_flaw(WHOLE[:size]) is not None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff{}",
        b"NaN",
        b"{}{}",
        b'{"c2VjcmV0":' + b"1" * 5000 + b"}",
        b'{"c2VjcmV0":' * 100_000,
        b'{"private": "c2VjcmV0',
        b'{"c2VjcmV0": "\xff"}',
        b'{"type": "Buffer", "data": "c2VjcmV0c"}',
    ],
)
def test_a_flaw_tells_where_and_never_what(value: bytes) -> None:
    flaw = json_flaw(value)

    assert flaw is not None
    assert "c2VjcmV0" not in flaw
