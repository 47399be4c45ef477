"""What a look at a session finds: how bad it is, what it is, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How bad a finding is."""

    OK = 0
    NOTE = 1
    """Nothing is wrong, but it is good to know."""
    WARNING = 2
    """It works, and something will not."""
    ERROR = 3
    """It does not work."""

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    subject: str
    severity: Severity
    found: str
    advice: str = ""

    def __str__(self) -> str:
        advice = f" ({self.advice})" if self.advice else ""
        return f"{self.severity}: {self.subject}: {self.found}{advice}"


@dataclass(frozen=True, slots=True)
class Report:
    """What all checks found, in the order in which they were made."""

    findings: tuple[Finding, ...]

    @property
    def worst(self) -> Severity:
        """The severity of the worst finding."""
        return max((finding.severity for finding in self.findings), default=Severity.OK)

    def of(self, subject: str) -> tuple[Finding, ...]:
        """Return the findings about one subject."""
        return tuple(finding for finding in self.findings if finding.subject == subject)

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))
