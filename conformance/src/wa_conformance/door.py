"""The pytest door: each check a test of its own, under its own id.

pytest has no fourth word: passed and failed are themselves, not claimed is a skip that says why,
and not run is a failure. A last test fails when nothing was there to run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache

import pytest

from wa_conformance.check import Check, all_checks
from wa_conformance.hooks import HookMissingError
from wa_conformance.judge import bench_for, perform
from wa_conformance.profile import PROFILES
from wa_conformance.runner import chosen, unchecked
from wa_conformance.snippet import snippet_of
from wa_conformance.subject import Status, Subject
from wa_conformance.target import TargetError, parse_target

COMPLETE = "complete"
"""The id of the last test."""


def make_tests(
    target: str | Callable[..., object],
    *,
    profile: str = "quick",
    claim: str | None = None,
    seed: int = 0,
    without: Collection[str] = (),
) -> Callable[..., None]:
    """Make the test function that `contract_tests` returns."""
    checks = chosen(all_checks(), without=without)

    @parametrized(checks)
    def test_contract(check: Check | None) -> None:
        __tracebackhide__ = True
        subject = subject_of(target, claim)
        if check is None:
            demand_complete(subject, checks, whole=not without, profile=profile)
        else:
            carry_out(check, subject, profile=profile, seed=seed)

    return test_contract


def parametrized(checks: Collection[Check]) -> pytest.MarkDecorator:
    """Parametrise a test with the checks, and with None for the last one."""
    ids = [*(check.id for check in checks), COMPLETE]
    cases = [
        pytest.param(case, id=name, marks=pytest.mark.wa_conformance)
        for case, name in zip([*checks, None], ids, strict=True)
    ]
    return pytest.mark.parametrize("check", cases)


@cache
def subject_of(target: str | Callable[..., object], claim: str | None) -> Subject:
    """Open the target once per test run."""
    return Subject.of(parse_target(target), claim=claim)


def carry_out(check: Check, subject: Subject, *, profile: str, seed: int) -> None:
    """Run one check; its own error reaches pytest, with the program to paste as a note."""
    __tracebackhide__ = True
    if not subject.calls_for(check, profile=profile):
        pytest.skip("not called for: another profile, or the clause is claimed")
    ruling = subject.ruling(check)
    if ruling is not None and ruling.status is Status.NOT_CLAIMED:
        pytest.skip(f"not claimed: {ruling.reason}")
    if ruling is not None:
        pytest.fail(f"not run: {ruling.reason}", pytrace=False)
    bench = bench_for(check, subject, profile=PROFILES[profile], seed=seed)
    try:
        perform(check, bench)
    except (HookMissingError, TargetError) as exc:
        pytest.fail(f"not run: {exc}", pytrace=False)
    except Exception as exc:
        exc.add_note(f"\nTo see it fail by itself:\n\n{snippet_of(check, bench, exc)}")
        raise


def demand_complete(
    subject: Subject, checks: Collection[Check], *, whole: bool, profile: str
) -> None:
    """Fail when nothing was there to run, or when a claimed clause has no check."""
    run = [c for c in checks if subject.calls_for(c, profile=profile) and not subject.ruling(c)]
    if not run:
        pytest.fail("nothing was run: that is a failure", pytrace=False)
    missing = [outcome.clause for outcome in unchecked(subject, checks)] if whole else []
    if missing:
        pytest.fail(f"claimed, and without a check: {', '.join(missing)}", pytrace=False)
