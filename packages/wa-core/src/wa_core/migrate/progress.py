"""What a migration tells while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """What is being done."""

    WAITING = "waiting"
    """For whoever holds the session."""
    LOOKING = "looking"
    """At what there is on both sides; nothing is written yet."""
    COPYING = "copying"
    VERIFYING = "verifying"
    DECIDING = "deciding"
    """From here on the target is the session."""
    REMOVING = "removing"


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a phase."""

    phase: Phase
    done: int = 0
    """Records so far."""
    total: int = 0
    size: int = 0
    """Bytes so far."""
    note: str = ""


Listener = Callable[[Progress], None]
"""Called in the middle of the work: it must not block."""


def unheard(progress: Progress) -> None:
    """Listen to nothing."""
