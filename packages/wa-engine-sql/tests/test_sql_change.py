"""A batch comes to deletes and puts that, made in that order, leave what it would."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from wa_core.storage import Delete, Operation, Put
from wa_engine_sql.change import change_of, checksum
from wa_engine_sql.folders import below, deep_hashes, end_of, hashes_of, is_deep, level_of

_SEGMENTS = st.sampled_from(("a", "b", "a0", "é", "\U0001f600"))
_KEYS = st.lists(_SEGMENTS, min_size=1, max_size=7).map("/".join)
_OPERATIONS = st.lists(
    st.one_of(
        st.builds(Delete, _KEYS),
        st.builds(Put, _KEYS, st.binary(max_size=2), st.one_of(st.none(), st.integers(0, 9))),
    ),
    max_size=12,
)


def _carried_out(state: dict[str, bytes], operations: list[Operation]) -> list[str]:
    """Change the state one by one; return the keys in the order of their last writes."""
    for operation in operations:
        tree = operation.key + "/"
        if isinstance(operation, Delete):
            for key in [k for k in state if k == operation.key or k.startswith(tree)]:
                del state[key]
        else:
            state.pop(operation.key, None)
            state[operation.key] = operation.value
    return list(state)


@settings(deadline=None)
@given(_OPERATIONS, _OPERATIONS)
def test_a_change_leaves_what_the_batch_would(
    before: list[Operation], batch: list[Operation]
) -> None:
    state: dict[str, bytes] = {}
    _carried_out(state, before)
    expected = dict(state)
    order = _carried_out(expected, batch)

    change = change_of(batch)
    first: list[Operation] = [Delete(key.decode()) for key in change.deletes]
    _carried_out(state, first)
    then: list[Operation] = [Put(put.key.decode(), put.value) for put in change.puts]
    found = _carried_out(state, then)

    assert state == expected
    assert found == order


def test_no_key_is_written_twice_in_one_statement() -> None:
    change = change_of([Put("k", b"1"), Put("k", b"2", 7), Delete("x"), Put("x", b"3")])

    assert [(put.key, put.value, put.at) for put in change.puts] == [
        (b"k", b"2", 7),
        (b"x", b"3", None),
    ]
    assert change.deletes == [b"x"]


def test_large_batches_are_cut_by_size() -> None:
    change = change_of([Put(f"k/{number}", bytes(100)) for number in range(50)])

    chunks = list(change.chunks(most=1_000))

    assert [put for chunk in chunks for put in chunk] == change.puts
    assert len(chunks) > 10


def test_the_checksum_fits_into_32_bits_with_sign_and_knows_the_key() -> None:
    found = {checksum(str(number).encode(), b"value") for number in range(1_000)}

    assert len(found) > 990
    assert all(-(2**31) <= number < 2**31 for number in found)


@settings(deadline=None)
@given(_KEYS)
def test_every_folder_above_a_key_has_a_number(key: str) -> None:
    coded = key.encode()

    shallow = [number for number in hashes_of(coded) if number is not None]

    assert len(shallow) + len(deep_hashes(coded)) == key.count("/")
    assert is_deep(coded) == bool(deep_hashes(coded))
    assert level_of(coded) is None
    assert level_of(coded + b"/") == key.count("/") + 1


@settings(deadline=None)
@given(_KEYS, _KEYS)
def test_a_range_of_bytes_is_a_tree(key: str, other: str) -> None:
    start, end = below(key.encode())

    assert (start <= other.encode() < end) == other.startswith(key + "/")
    assert (key.encode() <= other.encode() < end_of(key.encode())) == other.startswith(key)
