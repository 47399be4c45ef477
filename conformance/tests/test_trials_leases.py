"""The fight for the lease: a healthy engine passes, and each way to let two writers in is seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from wa_conformance.target import TargetError, parse_target
from wa_conformance.trials.chronicle import Chronicle
from wa_conformance.trials.leases import try_leases
from wa_conformance.violation import Violation

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_ZOO_DIR", str(tmp_path))


async def test_one_writer_at_a_time_passes() -> None:
    target = parse_target("wa_conformance.zoo.persistent:LogSpecimen")

    tally = await try_leases(target, times=4, seed=1, fighters=4, ttl=0.3, blocked_s=2)

    assert tally["runs"] == 4
    assert tally["woken"] + tally["blocked"] + tally["nobody held"] == 4
    assert tally["woken"] > 0


@pytest.mark.parametrize(
    ("name", "clauses"),
    [("Unfenced", {"L3"}), ("FencedBefore", {"L3"}), ("GivenTwice", {"L1", "L3"})],
)
async def test_a_second_writer_is_found(name: str, clauses: set[str]) -> None:
    target = parse_target(f"trial_engines:{name}")

    with pytest.raises(Violation) as found:
        await try_leases(target, times=30, seed=1, fighters=4, ttl=0.3)

    assert found.value.clause in clauses


async def test_an_engine_of_one_writer_has_no_fight() -> None:
    with pytest.raises(TargetError, match="one writer"):
        await try_leases(
            parse_target("wa_conformance.zoo.persistent:OneWriter"), times=1, seed=1, fighters=2
        )


def test_a_record_of_an_older_epoch_behind_a_newer_one_is_found() -> None:
    book = _told("a won 1 0/0", "a ack 1 1", "b won 2 1/1", "b ack 2 1")

    with pytest.raises(Violation, match="was written after"):
        book.judge([(10, "log/1/1"), (20, "log/2/1"), (30, "log/1/2")])


def test_a_record_that_the_next_holder_did_not_find_is_found() -> None:
    book = _told("a won 1 0/0", "a ack 1 1", "b won 2 1/1", "b ack 2 1")

    with pytest.raises(Violation, match="after epoch 2 was given"):
        book.judge([(10, "log/1/1"), (15, "log/1/2"), (20, "log/2/1")])


def test_an_acknowledged_record_that_is_gone_is_found() -> None:
    book = _told("a won 1 0/0", "a ack 1 1", "a ack 1 2")

    with pytest.raises(Violation, match="not there"):
        book.judge([(10, "log/1/1")])


def test_a_fighter_that_broke_down_ends_the_fight() -> None:
    with pytest.raises(Violation, match="KeyError"):
        _told("a broken KeyError no such thing")


def _told(*lines: str) -> Chronicle:
    book = Chronicle()
    for line in lines:
        name, *words = line.split()
        book.note(name, words)
    return book
