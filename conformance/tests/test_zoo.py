from __future__ import annotations

from collections.abc import Iterator

import pytest
from wa_conformance.check import all_checks
from wa_conformance.zoo import CONTROLS, ZOO
from wa_conformance.zoo.trial import (
    PATIENT,
    SLOW,
    chosen,
    is_machine,
    opened_zoo,
    specimens,
    tried,
)
from wa_core.storage.clauses import BY_ID

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def stores_in_a_folder_of_their_own() -> Iterator[None]:
    with opened_zoo():
        yield


@pytest.mark.parametrize("name", specimens())
@pytest.mark.filterwarnings("ignore")  # a broken engine leaves tasks and coroutines behind
def test_a_specimen_is_killed_at_the_clause_it_breaks(name: str) -> None:
    specimen = specimens()[name]
    own = [check for check in chosen() if check.clause == specimen.breaks]
    quick_first = sorted(own, key=lambda check: check.id in SLOW)

    trial = tried(specimen, quick_first, enough=1)
    if not trial.killed_by:
        # Some checks kill a process at a moment, and a busy machine moves that: once more.
        trial = tried(specimen, quick_first, enough=1)
    if not trial.killed_by:
        machines = [check for check in own if is_machine(check)]
        trial = tried(specimen, machines, enough=1, profile=PATIENT)

    assert trial.killed_by


def test_every_specimen_has_a_name_of_its_own() -> None:
    assert len(specimens()) == len(ZOO)


def test_the_zoo_has_the_size_that_was_asked_for() -> None:
    assert len(ZOO) >= 40


@pytest.mark.parametrize("name", specimens())
def test_a_specimen_names_its_clause_and_its_bug(name: str) -> None:
    specimen = specimens()[name]

    assert specimen.breaks in BY_ID
    assert specimen.__doc__
    assert specimen.__doc__.endswith(".")


def test_every_clause_that_is_checked_has_a_specimen() -> None:
    broken = {specimen.breaks for specimen in ZOO}

    checked = {check.clause for check in all_checks()}

    assert checked - broken == set()


def test_the_controls_claim_to_break_nothing() -> None:
    assert [control.breaks for control in CONTROLS] == [""] * len(CONTROLS)
