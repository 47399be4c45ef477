"""The rig of fail-over, on a leader and a follower that share a disk, and the command of trials."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from trial_engines import Machine
from wa_conformance.target import parse_target
from wa_conformance.trials.__main__ import main
from wa_conformance.trials.failover import try_failover
from wa_conformance.violation import Violation

pytestmark = pytest.mark.once


class Leader(Machine):
    """A machine whose follower takes over at once; what was in its memory is gone."""

    def start(self) -> None:
        assert Machine.alive


class Pair:
    """A herd of two."""

    def leaders(self) -> Sequence[Leader]:
        Machine.alive = True
        return [Leader()]

    def settled(self) -> bool:
        return Machine.alive


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_ZOO_DIR", str(tmp_path))


async def test_an_engine_that_finds_the_new_leader_passes() -> None:
    tally = await try_failover(parse_target("trial_engines:Served"), Pair(), times=3, seed=1)

    assert tally["runs"] == 3
    assert tally["acknowledged"] > 18


async def test_an_acknowledgement_that_died_with_the_leader_is_found() -> None:
    target = parse_target("trial_engines:AcknowledgesBefore")

    with pytest.raises(Violation) as found:
        await try_failover(target, Pair(), times=9, seed=1)

    assert found.value.clause in ("W2", "W5")


def test_the_command_says_how_the_trial_ended(capsys: pytest.CaptureFixture[str]) -> None:
    healthy = main(["leases", "trial_engines:Unfenced", "--times", "9", "--seed", "1"])
    said = capsys.readouterr().out

    assert healthy == 1
    assert "seed 1" in said
    assert "VIOLATION [L3" in said
    assert "--only" in said


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("network", "memory:"), "no proxy can stand"),
        (("kills", "memory:"), "a server that may die"),
        (("failover", "postgres"), "these fail over"),
    ],
)
def test_a_trial_that_cannot_be_held_is_a_wrong_command(
    words: Sequence[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(list(words))

    assert code == 2
    assert reason in capsys.readouterr().err
