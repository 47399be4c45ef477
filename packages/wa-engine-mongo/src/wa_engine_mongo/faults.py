"""The edge of the package: what the driver says, in the words of the contract [F2].

A message of the server may hold keys and values, so none is passed on: its number is enough to look
it up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bson.errors import BSONError
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)
from wa_core.errors import EngineConfigError, EngineUnavailableError, StorageError

UNAUTHORIZED = frozenset({13, 18, 33, 8000})
"""Not allowed, or not let in."""
NO_JOURNAL = 2
"""What a server without a journal answers to `j: true`."""
_MAX_TIME = 50
_TOO_LARGE_FOR_CACHE = 388
_TRANSIENT = frozenset(
    {6, 7, 24, 63, 64, 89, 91, 100, 112, 133, 134, 150, 189, 202, 211, 225, 237, 246, 251, 256}
    | {
        257,
        262,
        267,
        290,
        314,
        317,
        384,
        462,
        9001,
        10107,
        11600,
        11602,
        13388,
        13435,
        13436,
        14031,
    }
)
"""Answers of a server that is starting, stopping, electing, full or busy."""


@contextmanager
def mongo_errors() -> Iterator[None]:
    """Wrap every call into the driver; nothing of pymongo leaves this package."""
    try:
        yield
    except PyMongoError as exc:
        # Not `from exc`: the driver's error may carry documents, and so keys and values.
        raise _ours(exc) from None
    except (BSONError, OverflowError) as exc:
        raise StorageError(f"a document cannot be read or written: {type(exc).__name__}") from None


def is_transient(error: PyMongoError) -> bool:
    """Tell whether a transaction that failed so has had no effect and may be tried again."""
    return error.has_error_label("TransientTransactionError")


def is_unknown(error: PyMongoError) -> bool:
    """Tell whether a commit that failed so may have taken effect; asking again is harmless."""
    return error.has_error_label("UnknownTransactionCommitResult")


def is_squeezed(error: PyMongoError) -> bool:
    """Tell whether the server's cache had no room for a transaction, which may have by and by."""
    return _code(error) == _TOO_LARGE_FOR_CACHE


def took_too_long(error: PyMongoError) -> bool:
    """Tell whether the server itself gave up in time."""
    return isinstance(error, ExecutionTimeout) or _code(error) == _MAX_TIME


def _ours(error: PyMongoError) -> StorageError:
    kind, code = type(error).__name__, _code(error)
    if isinstance(error, OperationFailure) and code in UNAUTHORIZED:
        return EngineConfigError("credentials", f"the server does not allow this ({code})")
    if code == _TOO_LARGE_FOR_CACHE:
        return EngineConfigError(
            "storage.wiredTiger.engineConfig.cacheSizeGB",
            "a batch is larger than this cache takes in one transaction: raise it, or split it",
        )
    if isinstance(error, ConnectionFailure | WTimeoutError | ExecutionTimeout):
        return EngineUnavailableError(f"MongoDB does not answer ({kind})")
    if code in _TRANSIENT or is_transient(error) or is_unknown(error):
        return EngineUnavailableError(f"MongoDB cannot do it now ({kind} {code})")
    if isinstance(error, DocumentTooLarge):
        return StorageError("MongoDB takes no document as large as this")
    if isinstance(error, ConfigurationError):
        return EngineConfigError("MongoDB URL", f"the driver refuses it ({kind})")
    return StorageError(f"MongoDB refused: {kind} {code}")


def _code(error: PyMongoError) -> int:
    return (error.code or 0) if isinstance(error, OperationFailure) else 0
