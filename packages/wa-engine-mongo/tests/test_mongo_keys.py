"""Addresses: no two sessions and keys meet, and a tree is a range."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wa_core.errors import UsageError
from wa_core.storage import is_key
from wa_engine_mongo.keys import SessionKeys

NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
SEGMENTS = st.text(st.sampled_from("a0/.-~\ud7ff\ue000\U0010ffff"), min_size=1, max_size=6)
KEYS = SEGMENTS.filter(is_key)


@given(NAMES, NAMES, KEYS, KEYS)
def test_two_records_have_two_addresses(one: str, two: str, key: str, other: str) -> None:
    here, there = SessionKeys(one), SessionKeys(two)

    assert (here.id(key) == there.id(other)) == ((one, key) == (two, other))
    assert here.key(here.id(key)) == key


@given(NAMES, NAMES, KEYS)
def test_the_range_of_a_session_holds_its_records_alone(one: str, two: str, key: str) -> None:
    here, there = SessionKeys(one), SessionKeys(two)

    assert inside(here.all, there.id(key)) == (one == two)
    assert not inside(here.all, there.head)


@given(KEYS, KEYS)
def test_the_range_below_a_key_is_its_tree(key: str, other: str) -> None:
    keys = SessionKeys("s")

    assert inside(keys.below(key), keys.id(other)) == other.startswith(f"{key}/")


@given(SEGMENTS, KEYS)
def test_the_range_of_a_prefix_is_what_begins_with_it(prefix: str, key: str) -> None:
    keys = SessionKeys("s")

    found = keys.beginning(prefix)

    found["$lt"].encode()
    assert inside(found, keys.id(key)) == key.startswith(prefix)


@pytest.mark.parametrize("name", ["", "a\0b", "a\nb", "\ud800", "x" * 257, 5])
def test_what_is_no_name_of_a_session_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        SessionKeys(name)


def inside(found: dict[str, str], identity: str) -> bool:
    at = identity.encode()
    low = found["$gt"].encode() < at if "$gt" in found else found["$gte"].encode() <= at
    return low and at < found["$lt"].encode()
