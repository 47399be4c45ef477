"""Batches: they check while they grow, and show nothing of what they hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wa_core.errors import InvalidKeyError, InvalidPositionError, UsageError
from wa_core.storage import MAX_POSITION, Batch, Delete, Entry, Put

PHONE = "5491112345678"


def test_a_batch_keeps_its_operations_in_the_order_they_were_added() -> None:
    batch = Batch().put("a", b"1").delete("a").put("a", "2", at=7)

    assert list(batch) == [Put("a", b"1"), Delete("a"), Put("a", b"2", 7)]
    assert len(batch) == 3


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_str_becomes_its_utf8(text: str) -> None:
    (put,) = Batch().put("k", text)

    assert put == Put("k", text.encode("utf-8"))


def test_a_str_without_utf8_is_refused_and_not_shown() -> None:
    with pytest.raises(UsageError, match="lone surrogates") as caught:
        Batch().put("k", "private key \ud800")

    assert caught.value.__context__ is None
    assert "private" not in repr(caught.value)


@given(st.binary())
def test_every_kind_of_bytes_becomes_bytes_that_nobody_can_change(data: bytes) -> None:
    changing: Any = bytearray(data)
    view: Any = memoryview(data)

    batch = Batch().put("a", data).put("b", changing).put("c", view)
    changing.extend(b"later")

    assert [put.value for put in batch if isinstance(put, Put)] == [data, data, data]
    assert all(type(put.value) is bytes for put in batch if isinstance(put, Put))


@pytest.mark.parametrize("value", [None, 1, 1.5, ["a"], {"a": 1}])
def test_what_is_neither_bytes_nor_str_is_no_value(value: Any) -> None:
    batch = Batch()

    with pytest.raises(TypeError, match="a value is bytes or str"):
        batch.put("a", value)

    assert len(batch) == 0


@pytest.mark.parametrize("key", ["", "a/", "../a", "a\x00", "\ud800", "a" * 513])
def test_an_invalid_key_never_gets_into_a_batch(key: str) -> None:
    batch = Batch()

    with pytest.raises(InvalidKeyError, match="invalid key"):
        batch.put(key, b"")
    with pytest.raises(InvalidKeyError, match="invalid key"):
        batch.delete(key)
    with pytest.raises(InvalidKeyError, match="invalid key"):
        batch.extend([Put(key, b"")])
    with pytest.raises(InvalidKeyError, match="invalid key"):
        Batch([Delete(key)])

    assert len(batch) == 0


@pytest.mark.parametrize("at", [0, 1, MAX_POSITION])
def test_a_position_goes_from_0_to_the_last_exact_double(at: int) -> None:
    assert list(Batch().put("a", b"", at=at)) == [Put("a", b"", at)]
    assert int(float(at)) == at


@pytest.mark.parametrize("at", [-1, MAX_POSITION + 1, 1.0, True, "1", b"1", float("nan")])
def test_what_is_no_position_is_refused(at: Any) -> None:
    with pytest.raises(InvalidPositionError, match="microseconds"):
        Batch().put("a", b"", at=at)


def test_a_batch_can_be_made_of_another() -> None:
    first = Batch().put("a", b"1", at=1).delete("b")

    second = Batch(first).extend(first)

    assert list(second) == [*first, *first]
    assert len(first) == 2


@pytest.mark.parametrize("stranger", [Entry("a", b"", 1), ("a", b""), "a", None])
def test_what_is_no_operation_is_refused_and_deletes_nothing(stranger: Any) -> None:
    batch = Batch()

    with pytest.raises(TypeError, match="a batch holds Put and Delete"):
        batch.extend([stranger])

    assert len(batch) == 0


def test_no_repr_shows_a_value_or_a_whole_phone_number() -> None:
    key = f"contact/{PHONE}/index"
    batch = Batch().put(key, b"private").delete(key)

    shown = repr([batch, *batch, Entry(key, b"private", 1)])

    assert "private" not in shown
    assert PHONE not in shown
    assert "54…78" in shown
