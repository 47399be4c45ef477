"""The rig of killed servers: honest engines pass, and each fault that it is there for is seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from trial_engines import Machine
from wa_conformance.target import parse_target
from wa_conformance.trials.kills import try_kills
from wa_conformance.violation import Violation

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WA_ZOO_DIR", str(tmp_path))


async def test_an_engine_that_keeps_its_word_passes() -> None:
    tally = await try_kills(parse_target("trial_engines:Served"), Machine(), times=10, seed=1)

    assert tally["runs"] == 10
    assert tally["acknowledged"] > 20
    assert tally["acknowledged and lost"] == 0


async def test_an_engine_that_promises_little_may_lose_what_was_acknowledged() -> None:
    tally = await try_kills(parse_target("trial_engines:SaysSo"), Machine(), times=10, seed=1)

    assert tally["acknowledged and lost"] > 0


@pytest.mark.parametrize(
    ("name", "clause", "words"),
    [
        ("AcknowledgesBefore", "W2", "the writer was told"),
        ("InTwoSteps", "W2", "generation"),
        ("LeavesItsDriverOut", "F2", "ConnectionResetError"),
    ],
)
async def test_a_broken_engine_is_found_by_a_kill(name: str, clause: str, words: str) -> None:
    with pytest.raises(Violation, match=words) as found:
        await try_kills(parse_target(f"trial_engines:{name}"), Machine(), times=40, seed=1)

    assert found.value.clause == clause
