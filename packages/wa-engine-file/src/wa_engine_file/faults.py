"""The edge of the package: what the operating system says, in the words of the contract [F2]."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from wa_core.errors import EngineUnavailableError

_HELP = {
    errno.ENOSPC: "the disk is full: make room",
    errno.EDQUOT: "the disk quota is used up: make room",
    errno.EACCES: "the file system denies access: check the owner of the folder",
    errno.EPERM: "the file system denies access: check the owner of the folder",
    errno.EROFS: "the file system is read-only",
    errno.EIO: "the disk reports an input/output error",
    errno.EMFILE: "this process has too many files open",
    errno.ENFILE: "the machine has too many files open",
    errno.ELOOP: "there is a symlink in the store: remove it",
}


@contextmanager
def file_errors() -> Iterator[None]:
    """Wrap every step outside; no OSError leaves this package."""
    try:
        yield
    except OSError as exc:
        name = errno.errorcode.get(exc.errno or 0, "an unknown error")
        help_text = _HELP.get(exc.errno or 0, "the file system refused")
        raise EngineUnavailableError(f"{help_text} ({name})") from exc
    except MemoryError as exc:
        raise EngineUnavailableError("out of memory") from exc
