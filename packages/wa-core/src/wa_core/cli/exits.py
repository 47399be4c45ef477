"""How a command ends: every exception becomes an exit code here, and nowhere else."""

from __future__ import annotations

from wa_core.errors import (
    CorruptRecordError,
    EngineBusyError,
    EngineConfigError,
    EngineUnavailableError,
    FencedError,
    LeaseHeldError,
    MoveConflictError,
    MoveMismatchError,
    MoveStandsError,
    NoSessionError,
    SessionArrivingError,
    SessionMovedError,
    SourceChangedError,
    StoreVersionError,
    TargetUnfitError,
    UnknownEngineError,
    UnsettledBackupError,
    UsageError,
    ValueTooLargeError,
    WaError,
)

DONE = 0
DIFFERENT = 1
USAGE = 2
SEVERAL = 9
INTERRUPTED = 130
TERMINATED = 143

_BRANCHES: tuple[tuple[int, tuple[type[WaError], ...]], ...] = (
    (USAGE, (UsageError, UnknownEngineError)),
    (3, (LeaseHeldError, EngineBusyError, SourceChangedError, FencedError, UnsettledBackupError)),
    (4, (MoveConflictError,)),
    (5, (TargetUnfitError, ValueTooLargeError, EngineConfigError)),
    (6, (EngineUnavailableError,)),
    (7, (SessionMovedError, SessionArrivingError, NoSessionError)),
    (8, (CorruptRecordError, StoreVersionError, MoveMismatchError)),
    (10, (MoveStandsError,)),
)
_OTHER = 8

TABLE = """\
exit codes
    0  done; `check`: both sides are equal
    1  `check`: they differ; `abandon`: you did not agree
    2  the command is wrong: a URL, an option, an engine that is not installed
    3  somebody uses the session: the holder is named; stop it, or --takeover
    4  the target holds something else: see --on-conflict
    5  the target cannot take the session, or its settings cannot carry the promise
    6  a store does not answer: run the same command again
    7  the session is not there: it moved, it is arriving, or there never was one
    8  something is damaged or does not compare; the source is the session
    9  --all-sessions: some failed, each is named
   10  `abandon`: refused, a session would be lost or be two; nothing was changed
  130  interrupted (143: terminated); both sides are sound, run the same command again"""

WA_TABLE = """\
exit codes
    0  done, and nothing is wrong
    1  `inspect`: the session has an error; `get`, `rm`: no such record, or it was not agreed to;
       `engines`: one of them does not load
    2  the command is wrong: a URL, an option, an engine that is not installed, no answer to ask
    3  somebody uses the session: the holder is named
    4  the target of a restore holds something else
    5  the place cannot take it, or its settings cannot carry the promise
    6  a store does not answer
    7  the session is not there: it moved, it is arriving, or there never was one
    8  something is damaged, of a newer version, or not to be read with this key
  130  interrupted (143: terminated); what was begun is undone or whole"""


def code_of(error: WaError) -> int:
    """Return the exit code of an error."""
    for code, kinds in _BRANCHES:
        if isinstance(error, kinds):
            return code
    return _OTHER
