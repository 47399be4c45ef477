"""The net effect of a batch is what its operations do one after the other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from wa_core.storage import Delete, Operation, Put
from wa_engine_mongo.plan import Plan, planned

KEYS = st.sampled_from(["a", "a/b", "a/b/c", "a/bc", "a0", "b", "b/a"])
POSITIONS = st.none() | st.integers(0, 3)
PUTS = st.builds(Put, KEYS, st.binary(max_size=2), POSITIONS)
BATCHES = st.lists(PUTS | st.builds(Delete, KEYS), max_size=12)
BEFORE = ("a", "a/b", "a/b/c", "a/bc", "a0", "b/a")

Records = dict[str, tuple[bytes, int | None, int]]


@given(BATCHES)
def test_a_plan_comes_to_the_same_as_its_operations(operations: list[Operation]) -> None:
    before: Records = {key: (b"old", None, -1) for key in BEFORE}

    assert carried_out(planned(operations), dict(before)) == in_order(operations, dict(before))


@given(BATCHES)
def test_no_key_is_removed_or_written_twice(operations: list[Operation]) -> None:
    plan = planned(operations)

    assert len({put.key for put in plan.puts}) == len(plan.puts)
    assert not any(one.startswith(f"{other}/") for one in plan.gone for other in plan.gone)


def in_order(operations: list[Operation], records: Records) -> Records:
    turn = 0
    for operation in operations:
        if isinstance(operation, Delete):
            remove(operation.key, records)
            continue
        records[operation.key] = (operation.value, operation.at, turn)
        turn += operation.at is None
    return {key: (value, at, 0 if at is not None else n) for key, (value, at, n) in records.items()}


def carried_out(plan: Plan, records: Records) -> Records:
    for key in plan.gone:
        remove(key, records)
    for put in plan.puts:
        records[put.key] = (put.value, put.at, put.turn)
    return {key: (value, at, 0 if at is not None else n) for key, (value, at, n) in records.items()}


def remove(key: str, records: Records) -> None:
    for found in [one for one in records if one == key or one.startswith(f"{key}/")]:
        del records[found]
