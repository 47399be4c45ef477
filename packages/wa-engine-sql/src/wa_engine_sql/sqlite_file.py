"""An SQLite file before SQLite sees it: told from what is left of one, and made whole.

SQLite takes a file of no byte, or of one, for a new database, and removes the log beside it; half a
page it reads as if zeros followed. Each loses a session without a word. So a file of ours is never
empty, from its first moment on, and what is no whole number of pages is damaged.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from secrets import token_hex

from wa_core.errors import EngineConfigError, StorageError

_SMALLEST_PAGE = 512
_MODE = 0o600
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def check_not_lost(path: str) -> None:
    """Raise for a file that has no page left, before SQLite removes the log beside it.

    By its size alone: who opens such a file and closes it ends all locks of its process on it.
    """
    size = _size(path)
    if size is not None and size < _SMALLEST_PAGE:
        raise StorageError(
            "the file is empty, and no database ever is: restore it from a backup, with what lies "
            "beside it, or remove it to begin a new one"
        )


def check_not_cut(path: str, page_size: int) -> None:
    """Raise for a file whose last page is not whole."""
    # A log may still hold the rest: of a checkpoint or a transaction that ended half way.
    logs = (f"{path}-wal", f"{path}-journal")
    if (_size(path) or 0) % page_size and not any(map(_size, logs)):
        raise StorageError("the file is cut in the middle of a page: restore it from a backup")


def make_private(path: str) -> None:
    """Make an empty database, ours alone, before SQLite makes it for everybody; it copies the mode.

    Whole or not at all: it gets its name when it is on the disk.
    """
    if os.path.lexists(path):
        return
    draft = f"{path}.new-{token_hex(4)}"
    try:
        try:
            _write(draft)
            _name(draft, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(draft)
    except OSError as exc:
        name = type(exc).__name__
        raise EngineConfigError("the file cannot be made", f"check its folder ({name})") from exc


def _name(draft: str, path: str) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        return  # Somebody else was faster.
    except OSError:
        # Here files cannot have two names; a crash at this moment leaves one that is refused.
        with suppress(FileExistsError):
            _write(path)


def _write(path: str) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("VACUUM")
        page = db.serialize()
    with open(os.open(path, _NEW, _MODE), "wb") as file:
        file.write(page)
        file.flush()
        os.fsync(file.fileno())


def _size(path: str) -> int | None:
    """Return how long a file is; None where there is none, or SQLite is to say what keeps it."""
    try:
        return os.stat(path).st_size
    except OSError:
        return None
