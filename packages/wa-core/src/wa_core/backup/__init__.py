"""Backups of sessions, and how they come back.

    taken = await create("redis://host/0#bot", "archive:/backups/?key=env:WA_BACKUP_KEY", keep=7)
    report = await restore(f"archive:{taken.path}?key=env:WA_BACKUP_KEY", "file:.sessions#bot")

A backup is taken of a session that is alive, without its lease, as it was at one moment. A restore
proves the archive first, fills the target behind a marker that keeps it shut, and leaves the
ratchets out: it is no rewind. Both are what `wa backup` does.
"""

from __future__ import annotations

from wa_core.archive import About, Proof
from wa_core.archive.shelf import Listed
from wa_core.backup.creation import create
from wa_core.backup.folder import list_backups, rotate_backups, verify
from wa_core.backup.restoration import REWIND, REWIND_BREAKS, restore

__all__ = [
    "REWIND",
    "REWIND_BREAKS",
    "About",
    "Listed",
    "Proof",
    "create",
    "list_backups",
    "restore",
    "rotate_backups",
    "verify",
]
