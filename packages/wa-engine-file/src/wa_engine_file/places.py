"""Folders as places: which sessions one holds, where a session's folder is, what lies under it.

A place is either one session itself or holds named sessions, a folder each, never both: a session
must not find another one among its keys [N1].
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from wa_core.errors import EngineConfigError

from wa_engine_file.disk import FOLDER_MODE, Disk
from wa_engine_file.keys import CONTROL, Spelling

_PROBE = "probe-É"
_PROBE_FOLDED = ("probe-é", "PROBE-É", "probe-E\u0301")


def session_folder(place: str, session: str, *, safe: bool) -> str:
    """Return the folder of a session; the empty name is the place itself."""
    if not session:
        if not is_session(place) and (names := sessions_in(place)):
            known = ", ".join(names[:5])
            raise EngineConfigError("this folder holds sessions", f"name one with #: {known}")
        return place
    if is_session(place):
        raise EngineConfigError(
            "this folder is itself a session", "open it without #, or choose another folder"
        )
    spelling = Spelling.SAFE if safe or _folds_case(place) else Spelling.PLAIN
    return f"{place}/{spelling.session_path(session)}"


def sessions_in(place: str) -> list[str]:
    """Name the sessions in a place that hold anything; the empty name is the place itself."""
    if is_session(place):
        return [""] if _holds_keys(place) else []
    return [name for path, name in _named(place, "") if _holds_keys(f"{place}/{path}")]


def make_base(disk: Disk, base: str) -> None:
    """Make the session's folder and our own in it, private and durable."""
    missing = []
    folder = f"{base}/{CONTROL}"
    while not os.path.lexists(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for folder in reversed(missing):
        disk.make_folder(folder)
        os.chmod(folder, FOLDER_MODE)
        disk.sync_path(os.path.dirname(folder))
    if os.path.islink(f"{base}/{CONTROL}"):
        raise EngineConfigError("symlink in the store", f"remove ./{CONTROL}")
    if os.stat(base).st_mode & 0o077:
        os.chmod(base, FOLDER_MODE)


def folds_names(folder: str) -> bool:
    """Tell by trying whether names that differ in case or normal form meet in `folder` [K2]."""
    probe = f"{folder}/{_PROBE}"
    os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    try:
        return any(os.path.lexists(f"{folder}/{name}") for name in _PROBE_FOLDED)
    finally:
        os.unlink(probe)


def _folds_case(path: str) -> bool:
    """Tell without writing whether names of another case meet where `path` is or will be."""
    while path != "/":
        parent, name = os.path.split(path)
        other = f"{parent}/{name.swapcase()}"
        if name.swapcase() != name and os.path.exists(path):
            return os.path.exists(other) and os.path.samefile(path, other)
        path = parent
    return False


def is_session(folder: str) -> bool:
    """Tell whether a folder is itself a session."""
    return os.path.isdir(f"{folder}/{CONTROL}") or os.path.isfile(f"{folder}/session/creds")


def _holds_keys(folder: str) -> bool:
    with os.scandir(folder) as entries:
        return any(entry.name != CONTROL for entry in entries)


def _named(place: str, above: str) -> Iterator[tuple[str, str]]:
    """Yield path and name of each session's folder, also where a long name takes several."""
    try:
        entries = sorted(os.scandir(f"{place}/{above}"), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if not entry.is_dir(follow_symlinks=False):
            continue
        path = above + entry.name
        if entry.name.endswith("%+"):
            yield from _named(place, path + "/")
        elif is_session(f"{place}/{path}"):
            name = Spelling.PLAIN.session(path) or Spelling.SAFE.session(path)
            if name is not None:
                yield path, name
