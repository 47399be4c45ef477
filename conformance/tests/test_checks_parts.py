from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from wa_conformance.bench import Bench
from wa_conformance.check import all_checks
from wa_conformance.checks.sessions import hostile_names
from wa_conformance.corpus import HOSTILE, INVALID, NO_PREFIX, TWINS
from wa_conformance.growth import expect_no_growth
from wa_conformance.judge import judge
from wa_conformance.machine import without_shrinking
from wa_conformance.processes import ChildError, child, nursery
from wa_conformance.profile import QUICK
from wa_conformance.subject import Status, Subject
from wa_conformance.target import parse_target
from wa_conformance.ticks import Ending, at_every_await, cancelled, moments, no_leftovers
from wa_conformance.violation import Violation
from wa_core.errors import InvalidKeyError
from wa_core.storage import FULL, Delete, Lease, MemoryEngine, MemoryStore, Operation
from wa_core.storage import check_prefix as valid_prefix
from wa_core.storage import is_key as valid_key

BenchOn = Callable[..., Bench]
IDS = Path(__file__).with_name("check-ids.txt")


def test_every_clause_of_the_contract_is_judged() -> None:
    judged = {check.clause for check in all_checks() if not check.refuses}

    assert FULL - judged == set()


def test_what_may_be_unclaimed_and_imitated_has_a_check_of_its_refusal() -> None:
    refused = {clause for check in all_checks() for clause in check.refuses}

    assert {"W1", "S1", "L1", "L2", "L3", "D1", "D2"} <= refused


def test_no_id_is_ever_taken_back() -> None:
    published = IDS.read_text().split()

    assert sorted(published) == published
    assert set(published) - {check.id for check in all_checks()} == set()


def test_hostile_keys_are_keys_and_all_different() -> None:
    assert [key for key in HOSTILE if not valid_key(key)] == []
    assert len(set(HOSTILE)) == len(HOSTILE)
    assert [pair for pair in TWINS if pair[0] == pair[1]] == []
    assert [key for pair in TWINS for key in pair if not valid_key(key)] == []


def test_what_is_called_invalid_is() -> None:
    assert [key for key in INVALID if valid_key(key)] == []
    for prefix in NO_PREFIX:
        with pytest.raises(InvalidKeyError):
            valid_prefix(prefix)


def test_hostile_session_names_are_different_and_allowed() -> None:
    names = hostile_names("conf-0123abcd")

    assert len(set(names)) == len(names)
    assert max(len(name.encode()) for name in names) <= 256


async def test_a_call_is_cancelled_at_each_of_its_awaits() -> None:
    reached: list[int] = []

    async def call() -> None:
        for step in range(4):
            reached.append(step)
            await asyncio.sleep(0)
        reached.append(4)

    endings = [ending async for ending in at_every_await(call)]

    assert endings == [Ending.CANCELLED] * 5 + [Ending.DONE] * 3
    assert reached == [0, 0, 1, 0, 1, 2, 0, 1, 2, 3, *([0, 1, 2, 3, 4] * 3)]


async def test_a_cancel_that_was_swallowed_is_told_from_one_that_was_not() -> None:
    async def call() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    assert await cancelled(call, ticks=0) is Ending.CANCELLED
    assert await cancelled(call, ticks=1) is Ending.RETURNED


def test_moments_grow_but_miss_none_of_the_first() -> None:
    found = list(moments())

    assert found[:21] == list(range(21))
    assert found == sorted(set(found))
    assert found[-1] < 4_000 < found[-1] * 5 // 4


async def test_an_error_that_nobody_reads_is_a_leftover(bench_on: BenchOn) -> None:
    engine = await bench_on().open()

    async def fail() -> None:
        raise OSError("nobody reads this")

    async def leave() -> None:
        async with no_leftovers(engine):
            task = asyncio.create_task(fail())
            await asyncio.wait((task,))
            del task

    with pytest.raises(Violation, match="left in the event loop"):
        await leave()


async def test_growth_is_a_ratio_and_one_good_measurement_is_enough(bench_on: BenchOn) -> None:
    engine = await bench_on().open()
    large = iter((50.0, 30.0, 20.0, 10.0, 7.0))

    async def grow() -> None:
        measured.append("grown")

    async def measure() -> float:
        return next(large) if measured else 1.0

    measured: list[str] = []
    await expect_no_growth(engine, measure, grow, "a page")
    measured.clear()
    large = iter((50.0, 30.0, 20.0, 10.0, 9.0))
    with pytest.raises(Violation, match="9 times as much"):
        await expect_no_growth(engine, measure, grow, "a page")


class ForgetsChildOfRewritten(MemoryEngine):
    """Loses what is below a key when that key is deleted, written and deleted again elsewhere."""

    _stores: ClassVar[dict[str, MemoryStore]] = {}

    def __init__(self, session: str) -> None:
        super().__init__(self._stores.setdefault(session, MemoryStore()))
        self._deleted = 0

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        await super()._apply(operations, fence)
        deletes = [each for each in operations if isinstance(each, Delete)]
        self._deleted += len(deletes)
        if deletes and self._deleted > 2 and self.store.values:
            self.store.cascade(next(iter(self.store.values)))


def machine_outcome(seed: int) -> str:
    """Return the program that failed, or nothing: what a seed draws depends on what is loaded."""
    check = next(one for one in all_checks() if one.id == "W4.random-programs-of-single-writes")
    subject = Subject.of(parse_target(ForgetsChildOfRewritten))
    outcome = judge(check, subject, profile=QUICK, seed=seed, verify=False)
    assert outcome.status in (Status.FAILED, Status.PASSED)
    return outcome.snippet if outcome.status is Status.FAILED else ""


def a_seed_that_finds() -> int:
    return next(seed for seed in range(20) if machine_outcome(seed))


@pytest.mark.once
def test_the_machine_finds_what_takes_a_sequence_and_shrinks_it() -> None:
    found = machine_outcome(seed=a_seed_that_finds())

    calls = [line for line in found.splitlines() if ".set(" in line]
    assert 1 <= len(calls) <= 4, found


def test_the_same_seed_finds_the_same_program() -> None:
    with without_shrinking():
        seed = a_seed_that_finds()

        assert machine_outcome(seed) == machine_outcome(seed) != ""


def persistent(bench_on: BenchOn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    from wa_conformance.zoo.log import FOLDER

    monkeypatch.setenv(FOLDER, str(tmp_path))
    return bench_on("wa_conformance.zoo.persistent:LogSpecimen", clause="W2")


async def test_a_killed_writer_is_believed_up_to_its_last_word(
    bench_on: BenchOn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bench = persistent(bench_on, monkeypatch, tmp_path)

    async with nursery(bench) as writers:
        last = await writers.life(bench.session, "counter", 1, acks=3, then_s=0)
        again = await writers.life(bench.session, "counter", 1, acks=2, then_s=0)

    engine = await bench.open()
    found = int(await engine.get("state") or b"0")
    assert last >= 3
    assert again >= last + 2
    assert found in (again, again + 1)
    await bench.close()


async def test_a_process_that_fails_is_no_pass(bench_on: BenchOn) -> None:
    async def hear() -> None:
        async with child(bench_on("memory:"), "no-such-role") as started:
            await started.hear("open")

    with pytest.raises(ChildError, match="ended with 1"):
        await hear()
