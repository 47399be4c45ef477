"""What the operator must look at: the store, its settings, or where a session is."""

from __future__ import annotations

from wa_core.errors.tree import StorageError, masked


class CorruptRecordError(StorageError):
    """A record exists but cannot be read back as it was written [G2]."""

    code = "corrupt-record"

    def __init__(self, key: str, reason: str = "it does not match what was written") -> None:
        super().__init__(key, reason)
        self.key, self.reason = key, reason

    def __str__(self) -> str:
        return masked(f"record {self.key!r} is damaged: {self.reason}. {self._help}")

    @property
    def _help(self) -> str:
        """Say what to do: an older ratchet would be worse than none, older credentials are not."""
        if self.key.startswith("session/") and self.key != "session/creds":
            return "Delete it to go on without it: it is made or asked for anew"
        return "Restore it from a backup: it is never taken for absent"


class DamagedSessionError(StorageError):
    """The credentials are absent and other records are not: no session, and no room for one."""

    code = "damaged-session"

    def __init__(self, records: int) -> None:
        super().__init__(records)
        self.records = records

    def __str__(self) -> str:
        return masked(
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


class KeyUnavailableError(StorageError):
    """The key of a sealed store or an archive is not where it should be, or is none."""

    code = "key-unavailable"

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where, self.reason = where, reason

    def __str__(self) -> str:
        return masked(f"no key from {self.where}: {self.reason}. Nothing was opened")


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


class MoveStandsError(StorageError):
    """A move cannot be given up like that, or a session would be lost; nothing was changed."""

    code = "move-stands"

    def __init__(self, reason: str, help_: str) -> None:
        super().__init__(reason, help_)
        self.reason, self.help = reason, help_

    def __str__(self) -> str:
        return masked(f"the move stands, {self.reason}: {self.help}")


class SealedStoreError(StorageError):
    """The store is sealed, and was opened without its key."""

    code = "sealed-store"

    def __str__(self) -> str:
        return (
            "this store is sealed: say where its key is kept, with seal=env:NAME, seal=file:PATH "
            "or seal=keyring:SERVICE/NAME in the URL"
        )


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


class UnsealedStoreError(StorageError):
    """A store was opened to be read and written sealed, and holds records that are not."""

    code = "unsealed-store"

    def __str__(self) -> str:
        return (
            "this store holds records and is not sealed: leave out seal=, or move the session with "
            "wa-migrate to an empty place whose URL has seal="
        )


class ValueTooLargeError(StorageError):
    """A value is over the engine's own limit; nothing was changed [V3]."""

    code = "value-too-large"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(size, limit)
        self.size, self.limit = size, limit

    def __str__(self) -> str:
        return f"a value of {self.size} bytes is over this engine's limit of {self.limit} bytes"


class WrongKeyError(StorageError):
    """The key is not the one that this was sealed with; nothing was read or written."""

    code = "wrong-key"

    def __str__(self) -> str:
        return "this is not the key that it was sealed with; nothing was read or written"
