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
    │   └── SignalError                 end to end: no record was changed
    │       ├── ForgedBundleError           signed by somebody else
    │       ├── KeyUsedError                the message was opened before
    │       ├── MalformedMessageError       no message of this protocol
    │       ├── NoRatchetError              nothing to go on with: fetch a bundle
    │       ├── UndecryptableError          no key of ours opens it: ask for it again
    │       ├── UnknownPreKeyError          made for a pre-key that we do not have
    │       └── WeakKeyError                a public key that keeps no secret
    ├── ServerError                 the server said no
    ├── TransportError              the line is down
    └── StorageError                the operator: look at the store
        ├── CorruptRecordError
        ├── DamagedArchiveError
        ├── DamagedSessionError         records without credentials
        ├── EngineBusyError
        ├── EngineConfigError
        ├── EngineUnavailableError      retryable
        ├── FencedError
        ├── KeyUnavailableError         the key of what is sealed cannot be had
        ├── LeaseHeldError              retryable
        ├── MoveConflictError           a target of wa-migrate holds something else
        ├── MoveMismatchError           what arrived is not what was sent
        ├── MoveStandsError             giving it up would lose a session
        ├── NoArchiveError              the file is something else
        ├── NoSessionError              nothing at all is there
        ├── SealedStoreError            opened without its key
        ├── SessionArrivingError        half of a move: it opens elsewhere
        ├── SessionLeavingError         a move waits for the worker to stop
        ├── SessionMovedError           it lives elsewhere now
        ├── SourceChangedError          somebody writes what wa-migrate copies
        ├── StoreVersionError
        ├── TargetUnfitError            what wa-migrate should copy has no place there
        ├── UnknownEngineError          also a LookupError
        ├── UnsettledBackupError        retryable: a live session that did not hold still
        ├── UnsealedStoreError          opened with a key, and holds plain records
        ├── ValueTooLargeError
        └── WrongKeyError               not the one it was sealed with

`code` is stable and meant for programs, `retryable` says whether the same call may succeed later
without anybody acting. Facts are attributes; the sentence is made in `__str__`, without key
material, values or whole phone numbers.
"""

from __future__ import annotations

from wa_core.errors.archive import (
    DamagedArchiveError,
    NoArchiveError,
    UnsettledBackupError,
)
from wa_core.errors.protocol import (
    ForgedBundleError,
    KeyUsedError,
    MalformedMessageError,
    NoRatchetError,
    SignalError,
    UndecryptableError,
    UnknownPreKeyError,
    WeakKeyError,
)
from wa_core.errors.storage import (
    CorruptRecordError,
    DamagedSessionError,
    EngineBusyError,
    EngineConfigError,
    EngineUnavailableError,
    FencedError,
    KeyUnavailableError,
    LeaseHeldError,
    MoveConflictError,
    MoveMismatchError,
    MoveStandsError,
    NoSessionError,
    SealedStoreError,
    SessionArrivingError,
    SessionLeavingError,
    SessionMovedError,
    SourceChangedError,
    StoreVersionError,
    TargetUnfitError,
    UnknownEngineError,
    UnsealedStoreError,
    ValueTooLargeError,
    WrongKeyError,
)
from wa_core.errors.tree import (
    ProtocolError,
    ServerError,
    StorageError,
    TransportError,
    UsageError,
    WaError,
    masked,
    shown,
)
from wa_core.errors.usage import (
    EngineClosedError,
    InvalidKeyError,
    InvalidPageError,
    InvalidPositionError,
    InvalidUrlError,
    MissingExtraError,
    ReadOnlyError,
    TransactionError,
    UnsupportedError,
)

__all__ = [
    "CorruptRecordError",
    "DamagedArchiveError",
    "DamagedSessionError",
    "EngineBusyError",
    "EngineClosedError",
    "EngineConfigError",
    "EngineUnavailableError",
    "FencedError",
    "ForgedBundleError",
    "InvalidKeyError",
    "InvalidPageError",
    "InvalidPositionError",
    "InvalidUrlError",
    "KeyUnavailableError",
    "KeyUsedError",
    "LeaseHeldError",
    "MalformedMessageError",
    "MissingExtraError",
    "MoveConflictError",
    "MoveMismatchError",
    "MoveStandsError",
    "NoArchiveError",
    "NoRatchetError",
    "NoSessionError",
    "ProtocolError",
    "ReadOnlyError",
    "SealedStoreError",
    "ServerError",
    "SessionArrivingError",
    "SessionLeavingError",
    "SessionMovedError",
    "SignalError",
    "SourceChangedError",
    "StorageError",
    "StoreVersionError",
    "TargetUnfitError",
    "TransactionError",
    "TransportError",
    "UndecryptableError",
    "UnknownEngineError",
    "UnknownPreKeyError",
    "UnsealedStoreError",
    "UnsettledBackupError",
    "UnsupportedError",
    "UsageError",
    "ValueTooLargeError",
    "WaError",
    "WeakKeyError",
    "WrongKeyError",
    "masked",
    "shown",
]
