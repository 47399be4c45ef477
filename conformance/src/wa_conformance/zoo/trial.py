"""A specimen before the suite: which checks kill it.

The idea: the same checks as everywhere, with smaller numbers, since a bug of the zoo is not rare.
A trial is quick, silent and repeatable: one seed, no shrinking, and an alarm for what never ends.
"""

from __future__ import annotations

import inspect
import logging
import os
import signal
import tempfile
import time
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import FrameType

from wa_conformance.check import Check, Need, all_checks
from wa_conformance.judge import judge
from wa_conformance.profile import QUICK, Profile
from wa_conformance.subject import Status, Subject
from wa_conformance.target import parse_target
from wa_conformance.zoo import CONTROLS, ZOO, Animal
from wa_conformance.zoo.log import FOLDER
from wa_conformance.zoo.urls import UrlSpecimen, offered

SEED = 1
PROFILE = replace(QUICK, examples=6, steps=16, kills=2, rounds=3, keys=1_500, tasks=24)
PATIENT = replace(PROFILE, examples=80)
"""For a sequence that few programs hold: what Hypothesis draws depends on the modules loaded."""
ENOUGH = 4
"""After so many kills, one of them at its clause, a specimen has nothing more to tell."""
ALARM_S = 30
"""How long one check may take before it counts as one that never ends."""


SLOW = frozenset(
    [
        "C1.hostile-keys-delete-only-their-own",
        "C1.thousands-go-at-once",
        "C4.a-leaf-goes-as-fast-from-a-large-folder",
        "C4.a-small-tree-goes-as-fast-from-a-large-store",
        "F1.lease-calls-end-in-time",
        "F1.reads-end-in-time",
        "F1.scans-end-in-time",
        "F1.the-engine-recovers",
        "F1.writes-end-in-time",
        "F2.silence-is-an-error-of-ours",
        "G3.a-silent-backend-is-no-absence",
        "G3.a-silent-backend-is-no-empty-list",
        "G3.a-silent-backend-is-no-end-of-a-scan",
        "G4.thousands-of-keys-at-once",
        "L1.a-lease-is-held-between-processes",
        "L1.epochs-grow-over-a-kill",
        "L1.epochs-grow-over-clear-and-expiry",
        "L2.an-expired-lease-can-be-taken-over",
        "L2.an-expired-lease-cannot-be-renewed",
        "L2.renewing-prolongs",
        "L3.a-process-that-was-stopped-writes-nothing",
        "L3.an-expired-lease-writes-nothing",
        "O2.a-hostile-prefix-is-a-beginning",
        "O5.a-large-list-in-pages",
        "O6.a-count-costs-what-its-prefix-spans",
        "O6.a-page-costs-the-same-in-a-large-session",
        "S1.a-long-scan-misses-nothing",
        "S1.a-scan-takes-constant-memory",
        "V1.eight-mebibytes-come-back",
        "V3.a-value-over-the-limit-changes-nothing",
        "V3.one-value-over-the-limit-stops-its-batch",
        "W1.a-killed-writer-leaves-whole-batches",
        "W1.a-large-batch-is-applied-whole",
        "W1.random-programs-of-batches",
        "W2.an-acknowledged-write-survives-its-writer",
        "W4.random-programs-of-single-writes",
        "W5.another-process-is-read-at-once",
        "X1.a-cancelled-acquire-holds-nothing-for-long",
        "X1.a-cancelled-batch-is-whole-or-not-there",
        "X1.a-cancelled-read-leaves-the-engine-usable",
        "X1.a-cancelled-write-does-not-land-later",
        "X1.a-cancelled-write-leaves-the-engine-usable",
        "X1.a-scan-may-be-left",
        "X2.a-writer-in-another-process-is-named",
        "X2.processes-write-at-the-same-time",
    ]
)
"""The checks that wait for a clock or fill a large store: not everybody is made to wait."""


class NeverEndsError(Exception):
    """A check of a broken engine did not come to an end."""


@dataclass(slots=True)
class Trial:
    """What became of one specimen."""

    name: str
    clause: str
    killed_by: dict[str, str] = field(default_factory=dict)
    """The ids of the checks that failed, and what they saw."""
    seconds: dict[str, float] = field(default_factory=dict)
    complete: bool = False
    """The second round is over: what killed it so far is all that does."""

    def of_its_clause(self, clauses: dict[str, str]) -> list[str]:
        """List the killers that judge the clause which the specimen breaks."""
        return [name for name in self.killed_by if clauses[name] == self.clause]

    def add(self, other: Trial) -> None:
        """Take over what a further round found."""
        self.killed_by |= other.killed_by
        self.seconds |= other.seconds
        self.complete = other.complete


def specimens() -> dict[str, Animal]:
    """Find the broken ones by name."""
    return {specimen.__name__: specimen for specimen in ZOO}


def controls() -> dict[str, Animal]:
    """Find the healthy ones by name."""
    return {control.__name__: control for control in CONTROLS}


def is_machine(check: Check) -> bool:
    """Tell a state machine, which overlaps with all by nature, from an example."""
    return not inspect.iscoroutinefunction(check.run)


def chosen(*, without: Collection[str] = ()) -> list[Check]:
    """List the checks of a trial, in the order of the contract."""
    return [
        check
        for check in all_checks()
        if check.id not in without and PROFILE.name in check.profiles
    ]


def subject_of(specimen: Animal) -> Subject:
    """Open a specimen as a target, by the address that another process finds it under."""
    if issubclass(specimen, UrlSpecimen):
        return Subject.of(parse_target(specimen.target()))
    return Subject.of(parse_target(f"{specimen.__module__}:{specimen.__name__}"))


def tried(
    specimen: Animal,
    checks: Collection[Check],
    *,
    enough: int = ENOUGH,
    profile: Profile = PROFILE,
) -> Trial:
    """Run the checks on a specimen, and keep those that fail."""
    trial = Trial(specimen.__name__, specimen.breaks)
    subject = subject_of(specimen)
    for check in checks:
        if subject.calls_for(check, profile=PROFILE.name):
            begun = time.perf_counter()
            message = failure(check, subject, profile=profile)
            trial.seconds[check.id] = time.perf_counter() - begun
            if message is not None:
                trial.killed_by[check.id] = message
        if len(trial.killed_by) >= enough:
            break
    return trial


def first_round(specimen: Animal, checks: Collection[Check]) -> list[Check]:
    """Put the checks of the broken clause first, and leave out the slow ones of others."""
    own = [check for check in checks if check.clause == specimen.breaks]
    return own + [check for check in checks if check not in own and check.id not in SLOW]


def second_round(
    specimen: Animal, checks: Collection[Check], *, thorough: bool = False
) -> list[Check]:
    """List the examples that the first round left out: those of the chapter, or really all.

    Those with other processes are for everybody who has a disk: a bug of any chapter may show.
    """
    first = first_round(specimen, checks)
    rest = [check for check in checks if check not in first and not is_machine(check)]
    return [
        check
        for check in rest
        if thorough or check.clause[0] == specimen.breaks[:1] or Need.PROCESSES in check.needs
    ]


def failure(check: Check, subject: Subject, *, profile: Profile = PROFILE) -> str | None:
    """Run one check, and return what it saw; None when it passed or does not apply."""
    try:
        with alarm(ALARM_S):
            outcome = judge(check, subject, profile=profile, seed=SEED, verify=False)
    except NeverEndsError:
        return "it did not end"
    if outcome.status in (Status.FAILED, Status.NOT_RUN):
        return outcome.message
    return None


@contextmanager
def alarm(seconds: int) -> Iterator[None]:
    """Raise `NeverEndsError` in what takes longer."""

    def ring(signum: int, frame: FrameType | None) -> None:
        raise NeverEndsError

    before = signal.signal(signal.SIGALRM, ring)
    # It rings again: a clean-up may have swallowed the first error.
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def silence() -> None:
    """Keep the complaints of broken engines quiet: lost tasks are for checks to see."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")


def tried_by_name(
    name: str, without: Collection[str], *, second: bool, enough: int, thorough: bool
) -> Trial:
    """Try one engine of the zoo, in a process that may try others."""
    silence()
    specimen = {**controls(), **specimens()}[name]
    checks: list[Check] = chosen(without=without)
    if second:
        checks = second_round(specimen, checks, thorough=thorough or not specimen.breaks)
    else:
        checks = first_round(specimen, checks)
    trial = tried(specimen, checks, enough=enough)
    trial.complete = second
    return trial


@contextmanager
def opened_zoo() -> Iterator[None]:
    """Give the specimens a folder that is gone afterwards, and those with a URL their schemes."""
    before = os.environ.get(FOLDER)
    by_url = [each for each in (*CONTROLS, *ZOO) if issubclass(each, UrlSpecimen)]
    with offered(by_url), tempfile.TemporaryDirectory(prefix="wa-zoo-") as folder:
        os.environ[FOLDER] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ[FOLDER]
            else:
                os.environ[FOLDER] = before
