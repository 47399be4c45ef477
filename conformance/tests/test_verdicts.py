from __future__ import annotations

import asyncio
import importlib.util
import io
import json
import signal
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from wa_conformance.bench import Bench
from wa_conformance.check import Check, Need, all_checks
from wa_conformance.cli import progress
from wa_conformance.judge import Outcome, judge
from wa_conformance.profile import QUICK
from wa_conformance.render import to_junit, to_markdown, to_text
from wa_conformance.report import Report
from wa_conformance.runner import SelectionError, chosen, run, unchecked
from wa_conformance.subject import Status, Subject
from wa_conformance.target import TargetError, parse_target
from wa_core.errors import WaError
from wa_core.storage import CORE, FULL


async def passing(bench: Bench) -> None:
    engine = await bench.open()
    await engine.set("a", b"1")
    await engine.expect_get("a", b"1")


async def failing(bench: Bench) -> None:
    engine = await bench.open()
    await engine.expect_get("a", b"1")


async def hooking(bench: Bench) -> None:
    await bench.hooks.damage((await bench.open()).engine, "a")


def plain(bench: Bench) -> None:
    asyncio.run(passing(bench))


def made(run_: Any, *needs: Need, clause: str = "C1", **more: Any) -> Check:
    name = getattr(run_, "__name__", "")
    return Check(f"{clause}.{name}", clause, f"{name}.", run_, frozenset(needs), **more)


def subject(text: str = "memory:", claim: str | None = None) -> Subject:
    return Subject.of(parse_target(text), claim=claim)


def word(check: Check, text: str = "memory:", claim: str | None = None) -> Outcome:
    return judge(check, subject(text, claim), profile=QUICK, seed=1, verify=False)


@pytest.mark.parametrize(
    ("run_", "status", "says"),
    [
        (passing, Status.PASSED, ""),
        (plain, Status.PASSED, ""),
        (failing, Status.FAILED, "engine.get('a') returned None, expected b'1'"),
    ],
)
def test_a_check_that_runs_passes_or_fails(run_: object, status: Status, says: str) -> None:
    outcome = word(made(run_))

    assert outcome.status is status
    assert says in outcome.message


def test_a_bare_assert_shows_its_values_without_pytest(tmp_path: Path) -> None:
    file = tmp_path / "bare.py"
    file.write_text(
        "async def asserting(bench):\n"
        "    found, expected = ['b', 'a'], ['a', 'b']\n"
        "    assert (\n        found\n        == expected\n    )\n"
    )
    spec = importlib.util.spec_from_file_location("bare", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    outcome = word(made(module.asserting))

    assert outcome.message == (
        "assert found == expected\n  where expected = ['a', 'b']\n  where found = ['b', 'a']"
    )


@pytest.mark.parametrize(
    ("need", "text", "status", "says"),
    [
        (Need.PERSISTENT, "memory:", Status.NOT_CLAIMED, "the engine is volatile"),
        (Need.PROCESSES, "memory:", Status.NOT_CLAIMED, "the engine is volatile"),
        (Need.SHARED, "memory:", Status.PASSED, ""),
        (Need.SHARED, "faulty:OneOpener", Status.NOT_CLAIMED, "takes one writer"),
        (Need.NOT_SHARED, "memory:", Status.NOT_CLAIMED, "takes several writers"),
        (Need.SECOND_OPENER, "memory:", Status.PASSED, ""),
        (Need.SECOND_OPENER, "faulty:OneOpener", Status.NOT_CLAIMED, "no parameter read_only"),
        (Need.URL, "memory:", Status.PASSED, ""),
        (Need.URL, "faulty:Healthy", Status.NOT_CLAIMED, "is no URL"),
        (Need.DAMAGE, "memory:", Status.PASSED, ""),
        (Need.WEAK_PLACES, "memory:", Status.NOT_CLAIMED, "volatile engine without the hook"),
        (Need.PERSISTENT, "faulty:Persistent", Status.PASSED, ""),
        (Need.DAMAGE, "faulty:Persistent", Status.NOT_RUN, "provide it, or drop the claim"),
        (Need.STALL, "faulty:Persistent", Status.NOT_RUN, "provide it, or drop the claim"),
    ],
)
def test_what_a_check_needs_decides_over_its_word(
    need: Need, text: str, status: Status, says: str
) -> None:
    outcome = word(made(passing, need), text)

    assert outcome.status is status
    assert says in outcome.message


def test_a_factory_without_an_address_cannot_be_killed_in_another_process() -> None:
    from faulty import Persistent  # type: ignore[import-not-found,unused-ignore]

    nameless = Subject.of(parse_target(lambda session: Persistent(session)))

    ruling = nameless.ruling(made(passing, Need.PROCESSES))

    assert ruling is not None
    assert ruling.status is Status.NOT_RUN


def test_an_engine_that_blocks_the_loop_is_stopped() -> None:
    hasty = replace(QUICK, patience_s=0.2)

    outcome = judge(
        made(failing), subject("faulty:BlocksTheLoop"), profile=hasty, seed=1, verify=False
    )

    assert outcome.status is Status.FAILED
    assert "did not end within 0.2 s [F1: " in outcome.message
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_alarm_of_a_test_runner_stays_set() -> None:
    signal.setitimer(signal.ITIMER_REAL, 600)
    try:
        assert word(made(passing)).status is Status.PASSED
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 500
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.mark.parametrize(("terminal", "lines"), [(True, 1), (False, 3)])
def test_progress_moves_in_place_on_a_terminal(terminal: bool, lines: int) -> None:
    stream = io.StringIO()
    stream.isatty = lambda: terminal  # type: ignore[method-assign]
    listener = progress(stream)

    for place, status in enumerate((Status.PASSED, Status.FAILED, Status.NOT_CLAIMED), start=1):
        listener(Outcome(f"C1.check-{place}", "C1", "", status, 0.1, "reason"), place, 3)

    assert stream.getvalue().count("\n") == lines
    assert "C1.check-2" in stream.getvalue()


def test_what_is_not_claimed_is_not_judged() -> None:
    assert word(made(failing, clause="D2")).status is Status.NOT_CLAIMED
    assert word(made(failing, clause="W1"), claim="core").status is Status.NOT_CLAIMED
    assert word(made(failing, also=("D2",))).status is Status.NOT_CLAIMED
    assert word(made(passing, clause="D2"), claim="full").status is Status.PASSED


def test_a_claim_overrides_what_the_engine_says() -> None:
    assert subject(claim="core").claims == CORE
    assert subject("faulty:Persistent", claim="full").claims == FULL


def test_a_refusal_is_asked_of_who_does_not_claim() -> None:
    refusal = made(passing, clause="D1", refuses=("D1", "D2"))
    memory = subject()

    assert memory.calls_for(refusal, profile="quick")
    assert word(refusal).status is Status.PASSED
    assert not subject(claim="full").calls_for(refusal, profile="quick")
    # Judged as core, an engine that offers more has nothing to refuse.
    offered = made(passing, clause="W1", refuses=("W1",))
    assert not subject(claim="core").calls_for(offered, profile="quick")


def test_a_check_stays_within_its_profiles() -> None:
    slow = made(passing, profiles=frozenset({"full"}))

    assert not subject().calls_for(slow, profile="quick")
    assert subject().calls_for(slow, profile="full")


def test_a_hook_that_is_missed_on_the_way_is_not_run() -> None:
    assert word(made(hooking), "faulty:Persistent").status is Status.NOT_RUN


def test_a_target_that_cannot_be_opened_is_no_verdict() -> None:
    with pytest.raises(TargetError, match="no backend today"):
        subject("faulty:Unopenable")
    with pytest.raises(WaError, match="no engine for 'nowhere'"):
        subject("nowhere:x")


def test_a_claimed_clause_without_a_check_is_not_run() -> None:
    found = unchecked(subject(), [made(passing, clause="K1")])

    assert "K2" in [outcome.clause for outcome in found]
    assert "K1" not in [outcome.clause for outcome in found]
    assert {outcome.status for outcome in found} == {Status.NOT_RUN}


def test_every_clause_has_a_check() -> None:
    judged = {check.clause for check in all_checks() if not check.refuses}

    assert sorted(judged & FULL) == sorted(FULL)


def report(*words: Status, interrupted: bool = False) -> Report:
    made_ = Report.about(subject(), suite="1.2.3", seed=5, profile="quick", claim=None)
    made_.interrupted = interrupted
    made_.outcomes = [
        Outcome(f"C1.check-{n}", "C1", "Sentence.", word, 0.1, "<&\x00\ud800> seen", "replay()\n")
        for n, word in enumerate(words)
    ]
    return made_


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        ((Status.PASSED,), 0, ""),
        ((Status.PASSED, Status.NOT_CLAIMED), 0, ""),
        ((Status.PASSED, Status.FAILED), 1, ""),
        ((Status.PASSED, Status.NOT_RUN), 1, "not run counts as a failure"),
        ((Status.NOT_CLAIMED,), 1, "nothing was run"),
        ((), 1, "nothing was run"),
    ],
)
def test_the_exit_code_follows_from_the_words(
    words: tuple[Status, ...], code: int, complaint: str
) -> None:
    made_ = report(*words)

    assert made_.exit_code == code
    assert complaint in made_.complaint
    assert json.loads(made_.to_json())["ok"] is (code == 0)


def test_an_interrupted_run_is_no_success() -> None:
    made_ = report(Status.PASSED, interrupted=True)

    assert made_.exit_code == 130
    assert "interrupted" in to_text(made_)


def test_the_last_line_counts_the_four_words() -> None:
    last = to_text(report(Status.PASSED, Status.PASSED, Status.FAILED)).splitlines()[-1]

    assert last == "2 passed, 1 failed, 0 not claimed, 0 not run"


def test_json_says_what_was_judged() -> None:
    body = json.loads(report(Status.PASSED, Status.FAILED).to_json())

    assert body["suite"] == "1.2.3"
    assert body["contract"] == 1
    assert body["engine"] == "wa_core.storage.memory.MemoryEngine"
    assert body["package"] == "wa-core"
    assert body["seed"] == 5
    assert body["counts"] == {"passed": 1, "failed": 1, "not claimed": 0, "not run": 0}
    assert [check["status"] for check in body["outcomes"]] == ["passed", "failed"]


def test_junit_can_be_read_and_counts_the_same() -> None:
    suite = ET.fromstring(
        to_junit(report(Status.PASSED, Status.FAILED, Status.NOT_CLAIMED, Status.NOT_RUN))
    )

    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "2", "1")
    assert len(suite.findall("testcase/failure")) == 2


def test_junit_fails_when_nothing_was_run() -> None:
    suite = ET.fromstring(to_junit(report(Status.NOT_CLAIMED)))

    assert suite.get("failures") == "1"
    assert suite.findall("testcase/failure")


def test_markdown_shows_each_failure_with_its_program() -> None:
    text = to_markdown(report(Status.PASSED, Status.FAILED))

    assert "does not pass" in text
    assert "| C cascade | 1 | 1 | 0 | 0 |" in text
    assert "```python\nreplay()\n```" in text


def test_checks_are_chosen_by_id_clause_or_chapter() -> None:
    checks = [made(passing, clause="C1"), made(failing, clause="C1"), made(passing, clause="K1")]

    assert len(chosen(checks, only=["C1"])) == 2
    assert len(chosen(checks, only=["C1.passing", "K"])) == 2
    assert len(chosen(checks, without=["C"])) == 1
    with pytest.raises(SelectionError, match="names no check"):
        chosen(checks, only=["C9"])


def test_the_same_seed_throws_the_same_dice() -> None:
    thrown: list[float] = []

    async def throwing(bench: Bench) -> None:
        thrown.append(bench.rng.random())

    check = made(throwing)
    for seed in (1, 1, 2):
        judge(check, subject(), profile=QUICK, seed=seed)

    assert thrown[0] == thrown[1] != thrown[2]


def test_an_interruption_keeps_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def listener(outcome: Outcome, place: int, total: int) -> None:
        done.append(outcome.id)
        if place == 2:
            raise KeyboardInterrupt

    found = run(subject(), profile=QUICK, seed=1, only=["K1", "K2"], listener=listener)

    assert [outcome.id for outcome in found.outcomes] == done
    assert len(done) == 2
    assert found.exit_code == 130
