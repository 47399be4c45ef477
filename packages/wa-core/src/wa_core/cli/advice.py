"""What to do about an error, for those who see it in a terminal.

Many errors say what helps in their own sentence; here is what only a person at a machine can do.
"""

from __future__ import annotations

from wa_core.errors import (
    CorruptRecordError,
    DamagedArchiveError,
    EngineUnavailableError,
    LeaseHeldError,
    NoSessionError,
    SessionMovedError,
    StoreVersionError,
    WaError,
)

_ADVICE: tuple[tuple[type[WaError], str], ...] = (
    (
        EngineUnavailableError,
        "see that the server runs, and that this machine reaches the host and port of the URL; "
        "then run the same command again",
    ),
    (
        CorruptRecordError,
        "bring the record back from a backup; leave the rest alone until then. "
        "`wa inspect` names every damaged record",
    ),
    (DamagedArchiveError, "`wa backup list --verify` shows which archives are sound"),
    (LeaseHeldError, "stop that program and run the same command again; nothing was changed"),
    (NoSessionError, "`wa sessions` names the sessions of a place"),
    (SessionMovedError, "`wa sessions` shows where each session of this place went"),
    (StoreVersionError, "`wa engines` shows what is installed"),
)


def advice_for(error: WaError) -> str:
    """Return what to do; empty where the error's own sentence says it."""
    return next((advice for kind, advice in _ADVICE if isinstance(error, kind)), "")
