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

from wa_conformance.check import Check, all_checks
from wa_conformance.judge import judge
from wa_conformance.profile import QUICK
from wa_conformance.subject import Status, Subject
from wa_conformance.target import parse_target
from wa_conformance.zoo import CONTROLS, ZOO, Animal
from wa_conformance.zoo.log import FOLDER
from wa_conformance.zoo.urls import UrlSpecimen, offered

SEED = 1
PROFILE = replace(QUICK, examples=6, steps=16, kills=2, rounds=4)
ALARM_S = 30
"""How long one check may take before it counts as one that never ends."""


class NeverEndsError(Exception):
    """A check of a broken engine did not come to an end."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one specimen."""

    name: str
    clause: str
    killed_by: dict[str, str] = field(default_factory=dict)
    """The ids of the checks that failed, and what they saw."""
    seconds: dict[str, float] = field(default_factory=dict)

    def of_its_clause(self, clauses: dict[str, str]) -> list[str]:
        """List the killers that judge the clause which the specimen breaks."""
        return [name for name in self.killed_by if clauses[name] == self.clause]


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


def tried(specimen: Animal, checks: Collection[Check]) -> Trial:
    """Run the checks on a specimen, and keep those that fail."""
    trial = Trial(specimen.__name__, specimen.breaks)
    subject = subject_of(specimen)
    for check in checks:
        if not subject.calls_for(check, profile=PROFILE.name):
            continue
        begun = time.perf_counter()
        message = failure(check, subject)
        trial.seconds[check.id] = time.perf_counter() - begun
        if message is not None:
            trial.killed_by[check.id] = message
    return trial


def failure(check: Check, subject: Subject) -> str | None:
    """Run one check, and return what it saw; None when it passed or does not apply."""
    try:
        with alarm(ALARM_S):
            outcome = judge(check, subject, profile=PROFILE, seed=SEED, verify=False)
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


def tried_by_name(name: str, without: Collection[str]) -> Trial:
    """Try one engine of the zoo, in a process of its own or a shared one."""
    silence()
    return tried({**controls(), **specimens()}[name], chosen(without=without))


@contextmanager
def opened_zoo() -> Iterator[None]:
    """Give the specimens a folder that is gone afterwards, and those with a URL their schemes."""
    before = os.environ.get(FOLDER)
    with offered(), tempfile.TemporaryDirectory(prefix="wa-zoo-") as folder:
        os.environ[FOLDER] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ[FOLDER]
            else:
                os.environ[FOLDER] = before
