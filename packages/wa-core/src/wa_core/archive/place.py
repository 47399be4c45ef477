"""Where an archive lies: its file, the marker of a move beside it, and what a disk says to both."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from wa_core.errors import EngineConfigError, StorageError

MARKER_KEY = "wa/move"
"""The key of `wa_core.state.moves`: an archive is sealed for ever, so its marker lies beside it."""
MARKER = ".move"


@contextmanager
def disk_errors() -> Iterator[None]:
    """Wrap every touch of the disk; no OSError leaves this room."""
    try:
        yield
    except FileNotFoundError as exc:
        raise EngineConfigError("nothing to read", f"no such file: {exc.filename!r}") from exc
    except PermissionError as exc:
        raise EngineConfigError("permissions", f"{exc.strerror}: {exc.filename!r}") from exc
    except OSError as exc:
        raise StorageError(f"the disk says: {exc.strerror or type(exc).__name__}") from exc


def sync_folder(path: str) -> None:
    """Make the name of a file durable."""
    handle = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class MarkerFile:
    """The marker of a move, beside the archive that it is about."""

    def __init__(self, path: str) -> None:
        self._path = path + MARKER

    def read(self) -> bytes | None:
        """Return the marker; None where no move touches the archive."""
        try:
            with disk_errors(), open(self._path, "rb") as file:
                return file.read()
        except EngineConfigError as exc:
            if isinstance(exc.__cause__, FileNotFoundError):
                return None
            raise

    def write(self, data: bytes | None) -> None:
        """Put the marker there, or with None take it away; durable when this returns."""
        with disk_errors():
            if data is None:
                with suppress(FileNotFoundError):
                    os.unlink(self._path)
            else:
                self._replace(data)
            sync_folder(self._path)

    def _replace(self, data: bytes) -> None:
        handle, name = tempfile.mkstemp(prefix=".wa-", dir=os.path.dirname(self._path) or ".")
        try:
            with open(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(handle)
            os.rename(name, self._path)
        except BaseException:
            os.unlink(name)
            raise
