"""A run of the suite: choose the checks, judge one after the other, keep the report.

The runner prints nothing; whoever starts it listens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable

from wa_core.storage.clauses import BY_ID, Level

from wa_conformance.check import Check, all_checks, check_by_id
from wa_conformance.judge import Outcome, judge
from wa_conformance.profile import PROFILES, Profile
from wa_conformance.report import Report
from wa_conformance.subject import Status, Subject
from wa_conformance.target import Target, parse_target
from wa_conformance.version import VERSION

Listener = Callable[[Outcome, int, int], None]
"""Called after each check with its outcome, its place and the number of checks."""


class SelectionError(Exception):
    """`--only` or `--without` names something that is no check and no clause."""


def chosen(
    checks: Iterable[Check], *, only: Collection[str] = (), without: Collection[str] = ()
) -> tuple[Check, ...]:
    """Pick checks by id, by clause (`O2`) or by chapter (`O`)."""
    known = tuple(checks)
    for name in (*only, *without):
        if not any(_named(check, name) for check in known):
            raise SelectionError(f"{name!r} names no check: see wa-conformance --list")
    return tuple(
        check
        for check in known
        if (not only or any(_named(check, name) for name in only))
        and not any(_named(check, name) for name in without)
    )


def run(
    subject: Subject,
    *,
    profile: Profile,
    seed: int,
    only: Collection[str] = (),
    without: Collection[str] = (),
    claim: str | None = None,
    listener: Listener = lambda *_: None,
    verify: bool = True,
) -> Report:
    """Judge the subject; an interruption ends the run with what is done so far."""
    report = Report.about(subject, suite=VERSION, seed=seed, profile=profile.name, claim=claim)
    picked = chosen(all_checks(), only=only, without=without)
    checks = [check for check in picked if subject.calls_for(check, profile=profile.name)]
    started = time.perf_counter()
    try:
        for place, check in enumerate(checks, start=1):
            outcome = judge(check, subject, profile=profile, seed=seed, verify=verify)
            report.outcomes.append(outcome)
            listener(outcome, place, len(checks))
    except KeyboardInterrupt:
        report.interrupted = True
    report.seconds = time.perf_counter() - started
    if not only and not without and not report.interrupted:
        report.outcomes += unchecked(subject, all_checks())
    return report


def unchecked(subject: Subject, checks: Iterable[Check]) -> list[Outcome]:
    """List the claimed clauses that the suite does not judge: nobody looked is no success.

    A layout is one engine's own; its package tests it.
    """
    judged = {check.clause for check in checks if not check.refuses}
    reason = "the clause is claimed, and the suite has no check for it"
    return [
        Outcome(f"{clause.id}.no-check", clause.id, clause.sentence, Status.NOT_RUN, 0.0, reason)
        for clause in BY_ID.values()
        if clause.id in subject.claims
        and clause.id not in judged
        and clause.level is not Level.LAYOUT
    ]


def replay_check(
    target: str | Callable[..., object] | Target,
    check: str,
    *,
    seed: int,
    profile: str = "quick",
    claim: str | None = None,
) -> None:
    """Run exactly one check again, and end the process with 1 when it does not pass."""
    subject = Subject.of(parse_target(target), claim=claim)
    outcome = judge(check_by_id(check), subject, profile=PROFILES[profile], seed=seed, verify=False)
    print(f"{outcome.status}: {outcome.id}\n{outcome.message}".rstrip())
    if outcome.status is not Status.PASSED:
        raise SystemExit(1)


def _named(check: Check, name: str) -> bool:
    return name in (check.id, check.clause, check.clause[0])
