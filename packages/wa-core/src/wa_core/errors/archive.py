"""What the operator must look at: an archive, or a session that would not hold still for one."""

from __future__ import annotations

from wa_core.errors.tree import StorageError, masked


class NoArchiveError(StorageError):
    """The file is something else; it was not touched."""

    code = "no-archive"

    def __init__(self, path: str, reason: str = "it does not begin like one") -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return masked(f"{self.path!r} is no archive of a session: {self.reason}")


class DamagedArchiveError(StorageError):
    """An archive is not as it was written; nothing of it may be relied on."""

    code = "damaged-archive"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return masked(f"the archive is damaged: {self.reason}. Nothing was restored; take another")


class UnsettledBackupError(StorageError):
    """A live session changed too fast to be caught at one moment; no archive was written."""

    code = "unsettled-backup"
    retryable = True

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return masked(
            f"the session did not hold still for a backup: {self.reason}. Let its own program take "
            "it (wa_core.state.schedule_backups), or stop that program first"
        )
