from __future__ import annotations

import pytest
from wa_conformance.crash import expected, generation
from wa_conformance.model import GREATEST, Delete, Model, Put, Step, covers, in_order
from wa_core.storage import Put as CorePut


def model_of(*steps: Step, clock: int = 0) -> Model:
    model = Model()
    model.apply(steps, clock=clock)
    return model


@pytest.mark.parametrize(
    ("key", "other", "covered"),
    [
        ("chat/1", "chat/1", True),
        ("chat/1", "chat/1/index", True),
        ("chat/1", "chat/10", False),
        ("chat/1", "chat", False),
        ("a", "a/b/c", True),
        ("a*", "ab/c", False),
        ("a", "A", False),
    ],
)
def test_a_key_covers_itself_and_what_is_below_it(key: str, other: str, covered: bool) -> None:
    assert covers(key, other) is covered


def test_a_delete_takes_the_tree_and_a_later_put_is_there() -> None:
    model = model_of(
        Put("a", b"1"), Put("a/b", b"2"), Put("ab", b"3"), Delete("a"), Put("a/c", b"4")
    )

    assert model.values == {"ab": b"3", "a/c": b"4"}


def test_the_list_is_newest_first_with_explicit_positions_in_their_place() -> None:
    model = model_of(
        Put("old", b"", 10),
        Put("b", b""),
        Put("far", b"", GREATEST),
        Put("a", b""),
        Put("older", b"", 9),
    )

    assert model.listed() == ["far", "a", "b", "old", "older"]


def test_ties_are_listed_by_utf8_bytes() -> None:
    model = model_of(
        *(Put(key, b"", 5) for key in ("\U00010000", "\uffff", "a/b", "a-b", "B", "a"))
    )

    assert model.listed() == ["B", "a", "a-b", "a/b", "\uffff", "\U00010000"]
    assert in_order({"b": 1, "a": 1, "c": 2}) == ["c", "a", "b"]


def test_a_prefix_is_a_beginning() -> None:
    model = model_of(Put("chat/1", b"", 1), Put("chat/10", b"", 2), Put("xchat/1", b"", 3))

    assert model.listed("chat/1") == ["chat/10", "chat/1"]
    assert model.begins("hat") == []


@pytest.mark.parametrize(
    ("positions", "complaint"),
    [
        ({"a": 7, "b": 100, "c": 101}, None),
        ({"a": 8, "b": 100, "c": 101}, "'a' was put at=7 and stands at 8"),
        ({"a": 7, "b": 99, "c": 101}, "'b' was given 99, the clock said 100 before the call"),
        ({"a": 7, "b": 101, "c": 101}, "position 101 was given after 101"),
        ({"a": 7, "b": 102, "c": 101}, "position 101 was given after 102"),
        (
            {"a": 7, "b": 100, "c": 2**53},
            f"'c' was given {2**53}, the clock said 100 before the call",
        ),
    ],
)
def test_positions_are_held_to_the_clock_and_to_each_other(
    positions: dict[str, int], complaint: str | None
) -> None:
    model = model_of(Put("a", b"", 7), Put("b", b""), Put("c", b""), clock=100)

    assert model.misplaced(positions) == complaint


def test_a_position_is_remembered_beyond_its_key() -> None:
    model = model_of(Put("a", b""), clock=100)
    assert model.misplaced({"a": 500}) is None

    model.apply([Delete("a"), Put("b", b"")], clock=100)

    assert model.misplaced({"b": 400}) == "position 400 was given after 500"


@pytest.mark.parametrize("last", [1, 2, 3, 40])
def test_what_a_generation_leaves_is_what_its_operations_do(last: int) -> None:
    model = Model()

    for number in range(1, last + 1):
        steps: list[Step] = [
            Put(each.key, each.value, each.at) if isinstance(each, CorePut) else Delete(each.key)
            for each in generation(5, number)
        ]
        assert len(steps) == 20
        model.apply(steps, clock=0)

    assert model.values == expected(5, last)
