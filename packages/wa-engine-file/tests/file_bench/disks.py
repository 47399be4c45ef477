"""Disks that misbehave on demand: one that dies, one that fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import BinaryIO

from wa_engine_file.disk import Disk


class HookedDisk(Disk):
    """The real file system, with a word before each call."""

    def __init__(self, *, syncs_all: bool = False) -> None:
        self._syncs_all = syncs_all

    def before(self, call: str, path: str, write: Callable[[int], None] | None = None) -> None:
        """Do what a test wants done; `write(n)` does only the first n 64ths of a write."""

    @property
    def syncs_all(self) -> bool:
        return self._syncs_all

    def read(self, path: str) -> bytes:
        self.before("read", path)
        return super().read(path)

    def open(self, path: str) -> BinaryIO:
        self.before("open", path)
        return super().open(path)

    def create(self, path: str, data: bytes, at: int) -> None:
        def write(part: int) -> None:
            with open(path, "xb") as file:
                file.write(data[: len(data) * part // 64])

        self.before("create", path, write)
        super().create(path, data, at)

    def open_log(self, path: str) -> int:
        self.before("open_log", path)
        return super().open_log(path)

    def write_at(self, handle: int, data: bytes, offset: int) -> None:
        def write(part: int) -> None:
            os.pwrite(handle, data[: len(data) * part // 64], offset)

        self.before("write_at", "", write)
        super().write_at(handle, data, offset)

    def truncate(self, handle: int, size: int) -> None:
        self.before("truncate", "")
        super().truncate(handle, size)

    def sync_log(self, handle: int) -> None:
        self.before("sync_log", "")

    def rename(self, source: str, target: str) -> None:
        self.before("rename", target)
        super().rename(source, target)

    def unlink(self, path: str) -> None:
        self.before("unlink", path)
        super().unlink(path)

    def make_folder(self, path: str) -> None:
        self.before("make_folder", path)
        super().make_folder(path)

    def drop_folder(self, path: str) -> bool:
        self.before("drop_folder", path)
        return super().drop_folder(path)

    def sync_path(self, path: str) -> None:
        self.before("sync_path", path)

    def _sync_all(self, base: str) -> None:
        self.before("sync_all", base)


class Died(BaseException):
    """The process is dead: no handler of the engine may take this for an error."""


class DyingDisk(HookedDisk):
    """Dies at its Nth call, in the middle of a write if it is one, and does nothing ever after."""

    def __init__(self, dies_at: int, *, part: int = 0, syncs_all: bool = False) -> None:
        super().__init__(syncs_all=syncs_all)
        self._left = dies_at
        self._part = part

    @property
    def is_dead(self) -> bool:
        """Whether the Nth call was reached."""
        return self._left <= 0

    def before(self, call: str, path: str, write: Callable[[int], None] | None = None) -> None:
        if self.is_dead:
            raise Died
        self._left -= 1
        if self.is_dead:
            if write is not None and self._part and not os.path.lexists(path):
                write(self._part)
            raise Died


class FaultyDisk(HookedDisk):
    """Raises at its Nth call, once or until it is mended."""

    def __init__(self, fault: Callable[[], Exception], *, lasting: bool, short: bool) -> None:
        super().__init__()
        self._fault = fault
        self._lasting = lasting
        self._short = short
        self._left = 0
        self.raised = ""
        """The call that failed first."""

    def break_at(self, call: int) -> None:
        """Begin to count."""
        self._left, self.raised = call, ""

    def mend(self) -> None:
        """Work from now on."""
        self._left = 0

    def before(self, call: str, path: str, write: Callable[[int], None] | None = None) -> None:
        if self._left == 0 or (self._lasting and self._left == 1 and not self._hits(call)):
            return
        if self._left > 1:
            self._left -= 1
            return
        self._left = 1 if self._lasting else 0
        self.raised = self.raised or call
        if write is not None and self._short and not os.path.lexists(path):
            write(32)
        raise self._fault()

    def _hits(self, call: str) -> bool:
        """Tell whether a fault that lasts meets this call: one may read from a full disk."""
        return call in ("create", "write_at", "make_folder", "open_log")
