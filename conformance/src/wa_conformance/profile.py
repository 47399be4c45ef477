"""How much is tried: three sets of numbers.

A check never asks which profile it is in, it asks for a number; so a fourth profile is one line.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """The numbers of one profile."""

    name: str
    examples: int
    """Programs that the state machine tries."""
    programs_s: float
    """How long such programs are begun: behind a URL, a slow store gets through fewer of them."""
    steps: int
    """Steps of one such program."""
    kills: int
    """Times that a writing process is killed."""
    rounds: int
    """Repetitions where luck decides: races, random delays, generated keys."""
    keys: int
    """Keys of a large session, where growth is measured."""
    tasks: int
    """Tasks that call one engine at the same time."""
    patience_s: float
    """How long one check may take before it counts as stuck."""


QUICK = Profile(
    "quick",
    examples=12,
    programs_s=60,
    steps=20,
    kills=10,
    rounds=10,
    keys=5_000,
    tasks=50,
    patience_s=120,
)
FULL = Profile(
    "full",
    examples=100,
    programs_s=30,
    steps=40,
    kills=200,
    rounds=50,
    keys=50_000,
    tasks=1_000,
    patience_s=900,
)
SOAK = Profile(
    "soak",
    examples=5_000,
    programs_s=36_000,
    steps=200,
    kills=2_000,
    rounds=500,
    keys=500_000,
    tasks=5_000,
    patience_s=36_000,
)

PROFILES = {profile.name: profile for profile in (QUICK, FULL, SOAK)}
