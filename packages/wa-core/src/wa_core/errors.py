"""Every error that leaves one of our packages, in one tree.

The branches say who must act; the leaves say what happened.

    WaError
    ├── UsageError                  the caller: fix the call
    │   ├── InvalidKeyError             also a ValueError
    │   ├── InvalidPageError            also a ValueError
    │   ├── InvalidPositionError        also a ValueError
    │   ├── InvalidUrlError             also a ValueError
    │   ├── EngineClosedError
    │   ├── MissingExtraError           also an ImportError
    │   ├── ReadOnlyError
    │   ├── TransactionError            of the records of a state
    │   └── UnsupportedError            the engine does not claim this
    ├── ProtocolError               the peer broke the protocol
    ├── ServerError                 the server said no
    ├── TransportError              the line is down
    └── StorageError                the operator: look at the store
        ├── CorruptRecordError
        ├── DamagedSessionError         records without credentials
        ├── EngineBusyError
        ├── EngineConfigError
        ├── EngineUnavailableError      retryable
        ├── FencedError
        ├── LeaseHeldError              retryable
        ├── MoveConflictError           a target of wa-migrate holds something else
        ├── MoveMismatchError           what arrived is not what was sent
        ├── NoSessionError              nothing at all is there
        ├── SessionArrivingError        half of a move: it opens elsewhere
        ├── SessionLeavingError         a move waits for the worker to stop
        ├── SessionMovedError           it lives elsewhere now
        ├── SourceChangedError          somebody writes what wa-migrate copies
        ├── StoreVersionError
        ├── TargetUnfitError            what wa-migrate should copy has no place there
        ├── UnknownEngineError          also a LookupError
        └── ValueTooLargeError

`code` is stable and meant for programs, `retryable` says whether the same call may succeed later
without anybody acting. Facts are attributes; the sentence is made in `__str__`, without key
material, values or whole phone numbers.
"""

from __future__ import annotations

import re
from typing import ClassVar

_LONG_NUMBER = re.compile(r"\d{6,}")


def masked(text: str) -> str:
    """Shorten every number that could be a phone number, for messages and logs."""
    return _LONG_NUMBER.sub(lambda found: f"{found[0][:2]}…{found[0][-2:]}", text)


def shown(argument: object) -> str:
    """Spell a wrong argument for a message: a number masked, of anything else the type alone.

    Arguments get swapped; what came in the place of a number may be a value.
    """
    if isinstance(argument, int | float):
        return masked(repr(argument))
    return type(argument).__name__


class WaError(Exception):
    """The root of the tree."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __str__(self) -> str:
        return masked(super().__str__())

    def __repr__(self) -> str:
        """Show the sentence, never the raw facts: they may hold a phone number."""
        return f"{type(self).__name__}({str(self)!r})"


class UsageError(WaError):
    """The call was wrong; the same call will be wrong again."""

    code = "usage"


class ProtocolError(WaError):
    """The peer sent something the protocol does not allow."""

    code = "protocol"


class ServerError(WaError):
    """The server understood and refused."""

    code = "server"


class TransportError(WaError):
    """The line to the server failed."""

    code = "transport"
    retryable = True


class StorageError(WaError):
    """The store could not do what its contract promises."""

    code = "storage"


class InvalidKeyError(UsageError, ValueError):
    """The key or prefix is outside the key grammar [K1, K4]."""

    code = "invalid-key"

    def __init__(self, key: object, reason: str) -> None:
        super().__init__(key, reason)
        self.key, self.reason = key, reason

    def __str__(self) -> str:
        if not isinstance(self.key, str):
            return f"invalid key: {self.reason}"
        # Masked twice: `ascii` spells the digits of other scripts as numbers of its own.
        text = masked(ascii(masked(self.key)))
        return f"invalid key {text if len(text) <= 80 else text[:77] + '...'}: {self.reason}"


class InvalidPageError(UsageError, ValueError):
    """An offset or limit that is no page [O4]."""

    code = "invalid-page"

    def __init__(self, name: str, value: object) -> None:
        super().__init__(name, value)
        self.name, self.value = name, value

    def __str__(self) -> str:
        return f"{self.name} must be a whole number of 0 or more, not {shown(self.value)}"


class InvalidPositionError(UsageError, ValueError):
    """A position outside 0 to 2**53 - 1, the range that every backend keeps exactly."""

    code = "invalid-position"

    def __init__(self, at: object) -> None:
        super().__init__(at)
        self.at = at

    def __str__(self) -> str:
        return f"at= takes microseconds since 1970, 0 to 2**53 - 1, not {shown(self.at)}"


class InvalidUrlError(UsageError, ValueError):
    """The engine URL cannot be understood; `where` never holds a secret."""

    code = "invalid-url"

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where, self.reason = where, reason

    def __str__(self) -> str:
        return masked(f"{self.where}: {self.reason}")


class EngineClosedError(UsageError):
    """The engine was used after `close`."""

    code = "engine-closed"

    def __str__(self) -> str:
        return "this engine is closed: open it again with open_engine(url)"


class MissingExtraError(UsageError, ImportError):
    """This needs a package that only an extra of wa-core brings."""

    code = "missing-extra"

    def __init__(self, extra: str) -> None:
        super().__init__(extra)
        self.extra = extra

    def __str__(self) -> str:
        return f"this needs more than wa-core alone: pip install 'wa-core[{self.extra}]'"


class ReadOnlyError(UsageError):
    """A write on an engine that was opened for reading."""

    code = "read-only"

    def __str__(self) -> str:
        return "this engine is read-only: open it without read_only / ?readonly=1 to write"


class TransactionError(UsageError):
    """A transaction over the records of a state cannot go on; nothing of it was written."""

    code = "transaction"

    def __str__(self) -> str:
        return f"this transaction cannot go on: {super().__str__()}"


class UnsupportedError(UsageError):
    """The engine does not claim the clauses this call needs; nothing was changed."""

    code = "unsupported"

    def __init__(self, feature: str) -> None:
        super().__init__(feature)
        self.feature = feature

    def __str__(self) -> str:
        return f"this engine does not offer {self.feature} (see its capabilities.claims)"


class CorruptRecordError(StorageError):
    """A record exists but cannot be read back as it was written [G2]."""

    code = "corrupt-record"

    def __init__(self, key: str, reason: str = "it does not match what was written") -> None:
        super().__init__(key, reason)
        self.key, self.reason = key, reason

    def __str__(self) -> str:
        return masked(f"record {self.key!r} is damaged: {self.reason}")


class DamagedSessionError(StorageError):
    """The credentials are absent and other records are not: no session, and no room for one."""

    code = "damaged-session"

    def __init__(self, records: int) -> None:
        super().__init__(records)
        self.records = records

    def __str__(self) -> str:
        return (
            f"{self.records} records are here and no credentials: restore session/creds from a "
            "backup, or empty the session (engine.clear) to begin a new one"
        )


class EngineBusyError(StorageError):
    """Another writer has this session open, and the engine allows one [X2]."""

    code = "engine-busy"

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder

    def __str__(self) -> str:
        return (
            f"another writer has this session open: {self.holder}. "
            "Stop it, or open this one with read_only=True"
        )


class EngineConfigError(StorageError):
    """The backend's settings cannot carry the promise that was asked for [D2]."""

    code = "engine-config"

    def __init__(self, setting: str, fix: str) -> None:
        super().__init__(setting, fix)
        self.setting, self.fix = setting, fix

    def __str__(self) -> str:
        return masked(f"{self.setting}: {self.fix}")


class EngineUnavailableError(StorageError):
    """The backend did not answer in time; a write may or may not have happened [G3, W3]."""

    code = "engine-unavailable"
    retryable = True

    def __init__(self, reason: str = "the backend does not answer") -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return masked(f"{self.reason} (a write may be applied again: same batch, same lease)")


class FencedError(StorageError):
    """The lease is no longer current; nothing was written [L3]."""

    code = "fenced"

    def __init__(self, epoch: int) -> None:
        super().__init__(epoch)
        self.epoch = epoch

    def __str__(self) -> str:
        return f"the lease of epoch {self.epoch} is not current: stop work on this session"


class LeaseHeldError(StorageError):
    """Somebody else holds the session's lease [L1]."""

    code = "lease-held"
    retryable = True

    def __init__(self, holder: str, expires_in: float) -> None:
        super().__init__(holder, expires_in)
        self.holder, self.expires_in = holder, expires_in

    def __str__(self) -> str:
        return f"the lease is held by {masked(self.holder)!r} for {self.expires_in:.1f} s more"


class MoveConflictError(StorageError):
    """The target holds records that the source does not have like that; nothing was written."""

    code = "move-conflict"

    def __init__(self, found: str, help_: str) -> None:
        super().__init__(found, help_)
        self.found, self.help = found, help_

    def __str__(self) -> str:
        return masked(f"the target holds {self.found}: {self.help}")


class MoveMismatchError(StorageError):
    """Source and target are not equal after the copy; the target does not open."""

    code = "move-mismatch"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return masked(f"the copy is not what was sent: {self.reason}. The source is the session")


class SessionArrivingError(StorageError):
    """The session is being moved here, and is not here yet; its source is the side that opens."""

    code = "session-arriving"

    def __init__(self, source: str, reason: str = "the copy is not complete") -> None:
        super().__init__(source, reason)
        self.source, self.reason = source, reason

    def __str__(self) -> str:
        return masked(
            f"this session is arriving from {self.source}: {self.reason}. "
            "Run the same wa-migrate again, it goes on where it stopped"
        )


class SessionLeavingError(StorageError):
    """A move to another store waits until the worker of this session stops."""

    code = "session-leaving"

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.target = target

    def __str__(self) -> str:
        return masked(f"this session is about to move to {self.target}: stop work and let it go")


class SessionMovedError(StorageError):
    """The session was moved to another store; opening what is left here would ruin both."""

    code = "session-moved"

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.target = target

    def __str__(self) -> str:
        return masked(f"this session was moved: open it at {self.target}")


class NoSessionError(StorageError):
    """The store is reachable and empty."""

    code = "no-session"

    def __str__(self) -> str:
        return "there is no session here: check the URL, or begin one with create=True"


class SourceChangedError(StorageError):
    """The source was written while it was copied: a worker is alive that holds no lease."""

    code = "source-changed"

    def __str__(self) -> str:
        return (
            "the source changed while it was copied: stop the program that uses it, then run the "
            "same wa-migrate again. Nothing was decided, the source is the session"
        )


class StoreVersionError(StorageError):
    """The store was written by a newer contract [N3]."""

    code = "store-version"

    def __init__(self, found: int | str, known: int) -> None:
        super().__init__(found, known)
        self.found, self.known = found, known

    def __str__(self) -> str:
        return (
            f"the store has version {self.found}, this package knows up to {self.known}: "
            "upgrade the engine package; nothing was touched"
        )


class TargetUnfitError(StorageError):
    """The target has no place for something of the source; nothing was written."""

    code = "target-unfit"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return masked(f"the target cannot take this session: {self.reason}")


class UnknownEngineError(StorageError, LookupError):
    """No installed package offers this URL scheme [U1]."""

    code = "unknown-engine"

    def __init__(self, scheme: str, package: str, installed: tuple[str, ...]) -> None:
        super().__init__(scheme, package, installed)
        self.scheme, self.package, self.installed = scheme, package, installed

    def __str__(self) -> str:
        known = ", ".join(self.installed) or "none"
        sentence = f"no engine for {self.scheme!r}: pip install {self.package}"
        return masked(f"{sentence} (installed: {known})")


class ValueTooLargeError(StorageError):
    """A value is over the engine's own limit; nothing was changed [V3]."""

    code = "value-too-large"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(size, limit)
        self.size, self.limit = size, limit

    def __str__(self) -> str:
        return f"a value of {self.size} bytes is over this engine's limit of {self.limit} bytes"
