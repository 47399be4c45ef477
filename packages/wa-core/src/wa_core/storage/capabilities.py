"""What an engine says of itself: its durability, its limits and the clauses it claims.

A capability is a promise that the conformance suite holds an engine to. What is not claimed must
be refused cleanly; it is never half there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from wa_core.storage.clauses import CONTRACT_VERSION, FULL

MIN_MAX_VALUE = 8 * 1024 * 1024
"""Every engine takes values up to here [V1]."""
WRAPPING = 1024
"""Room for what a wrapper may add to a value: behind a seal, too, values up to there are taken."""


class Durability(StrEnum):
    """What a batch survives once `apply` returned [D1]."""

    VOLATILE = "volatile"
    PROCESS = "process"
    POWER = "power"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The promises of one open engine."""

    durability: Durability
    """What an acknowledged batch survives [D1]."""
    shared: bool
    """Several writers may have the session open: processes, or for a volatile store, objects."""
    max_value: int = MIN_MAX_VALUE + WRAPPING
    """The largest value in bytes [V3]."""
    read_only: bool = False
    """Writes are refused with `ReadOnlyError`."""
    claims: frozenset[str] = field(default=FULL, repr=False)
    """The clauses of the contract that this engine promises to keep."""
    contract: int = CONTRACT_VERSION
    """The version of the contract it was written for."""
