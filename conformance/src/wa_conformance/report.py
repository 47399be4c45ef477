"""What a run found: every check with one of four words, and the exit code that follows.

Nothing run is a failure, and so is a claimed clause that nobody looked at: a green report means
that somebody tried.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from wa_core.storage.clauses import CHAPTERS, CONTRACT_VERSION

from wa_conformance.judge import Outcome
from wa_conformance.subject import Status, Subject

FORMAT = 1
"""The version of the JSON form."""

PASSED, FAILED, INTERRUPTED = 0, 1, 130


@dataclass(slots=True)
class Report:
    """One run of the suite on one target."""

    suite: str
    target: str
    seed: int
    profile: str
    claim: str | None
    engine: str
    package: str
    package_version: str
    durability: str
    shared: bool
    max_value: int
    claims: list[str]
    contract: int = CONTRACT_VERSION
    format: int = FORMAT
    started_at: str = field(
        default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    )
    seconds: float = 0.0
    interrupted: bool = False
    outcomes: list[Outcome] = field(default_factory=list)

    @classmethod
    def about(
        cls, subject: Subject, *, suite: str, seed: int, profile: str, claim: str | None
    ) -> Report:
        """Begin a report on a subject."""
        package, package_version = subject.package
        return cls(
            suite=suite,
            target=subject.target.shown,
            seed=seed,
            profile=profile,
            claim=claim,
            engine=subject.engine,
            package=package,
            package_version=package_version,
            durability=subject.capabilities.durability,
            shared=subject.capabilities.shared,
            max_value=subject.capabilities.max_value,
            claims=sorted(subject.claims),
        )

    def count(self, status: Status) -> int:
        """Count the checks of one word."""
        return sum(outcome.status is status for outcome in self.outcomes)

    def of(self, *statuses: Status) -> list[Outcome]:
        """List the checks of some words."""
        return [outcome for outcome in self.outcomes if outcome.status in statuses]

    def chapters(self) -> Iterable[tuple[str, Counter[Status]]]:
        """Count the words by chapter of the contract; a chapter without a check is left out."""
        for letter, title in CHAPTERS.items():
            words = Counter(out.status for out in self.outcomes if out.clause.startswith(letter))
            if words:
                yield f"{letter} {title}", words

    @property
    def verdict(self) -> str:
        """The line that sums up."""
        return ", ".join(f"{self.count(status)} {status}" for status in Status)

    @property
    def complaint(self) -> str:
        """Why the run is no success although no check failed; empty when it is one."""
        if self.interrupted:
            return "interrupted: the checks above are all that was done"
        if not self.of(Status.PASSED, Status.FAILED):
            return "nothing was run: that is a failure"
        if self.of(Status.NOT_RUN):
            return "a check that was not run counts as a failure"
        return ""

    @property
    def exit_code(self) -> int:
        """0 when all that is claimed passed."""
        if self.interrupted:
            return INTERRUPTED
        return FAILED if self.complaint or self.of(Status.FAILED) else PASSED

    def to_json(self) -> str:
        """Write the report for programs."""
        counts = {str(status): self.count(status) for status in Status}
        body = {**asdict(self), "counts": counts, "ok": self.exit_code == PASSED}
        return json.dumps(body, indent=2) + "\n"
