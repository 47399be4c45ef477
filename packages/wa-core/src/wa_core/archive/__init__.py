"""Archives: one file that holds a session, sealed, proven and never changed.

`archive:FILE?key=...` reads one as an engine, `wa_core.backup` takes and restores them. The idea:
records lie in the order of their keys, so that a million of them are written, proven and found with
little in memory. `docs/archive-format.md` says the format to the byte.
"""

from __future__ import annotations

from wa_core.archive.capture import capture
from wa_core.archive.frames import About
from wa_core.archive.moment import Note, Writer
from wa_core.archive.place import MarkerFile
from wa_core.archive.proof import Proof, prove
from wa_core.archive.provider import SCHEME, ArchivePlace, is_archive, open_archive
from wa_core.archive.target import ArchiveTarget

__all__ = [
    "SCHEME",
    "About",
    "ArchivePlace",
    "ArchiveTarget",
    "MarkerFile",
    "Note",
    "Proof",
    "Writer",
    "capture",
    "is_archive",
    "open_archive",
    "prove",
]
