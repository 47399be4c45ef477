"""Folders to try things out in: where one lies, and how all of it goes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from wa_core.storage import SCRATCH, EngineUrl

from wa_engine_file.faults import file_errors
from wa_engine_file.lock import WriterLock


def scratch_folder(url: EngineUrl, place: str, is_session: Callable[[str], bool]) -> EngineUrl:
    """Name a folder in a place that holds sessions, or beside a place that is one."""
    if url.session is None and is_session(place):
        return url.located(f"{place}.{SCRATCH}")
    return url.with_session(SCRATCH)


def remove_folder(folder: str, control: str) -> None:
    """Remove a session's folder while nobody else can write it."""
    if not os.path.isdir(folder):
        return
    with file_errors():
        lock = WriterLock(f"{folder}/{control}") if os.path.isdir(f"{folder}/{control}") else None
        try:
            shutil.rmtree(folder)
        finally:
            if lock is not None:
                lock.release()
