"""What a session's folder holds, found in one pass: the first thing that any opener does.

The idea: manifest, walk, journal, in that order. A file that the walk saw while a writer was at
work was in the journal before it was in the folder, so reading the journal last puts right
whatever the walk saw too early or too late.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from wa_core.storage import MAX_POSITION, is_key

from wa_engine_file.contents import Contents
from wa_engine_file.disk import Disk
from wa_engine_file.journal import SEGMENTS, Frame, FrameCodec
from wa_engine_file.keys import CONTROL, Spelling
from wa_engine_file.manifest import NAME, Covered, Manifest, read_manifest
from wa_engine_file.segments import SegmentFile
from wa_engine_file.tree import Tree

_log = logging.getLogger(__name__)

PORTION = 512
"""How many files are looked at between two steps of the index."""


@dataclass(slots=True)
class Survey:
    """What was found."""

    manifest: Manifest
    codec: FrameCodec
    contents: Contents
    """As of the manifest, the journal not yet applied."""
    frames: list[Frame]
    """What the journal adds."""

    @property
    def spelling(self) -> Spelling:
        """How the store writes names."""
        return self.manifest.spelling

    @property
    def covered(self) -> Covered:
        """How far the folder is known to be right."""
        return self.manifest.covered


def survey(disk: Disk, tree: Tree, empty: Callable[[], Contents]) -> Survey | None:
    """Look at a folder; None when no writer of ours has been there."""
    try:
        file = disk.open(f"{tree.base}/{CONTROL}/{NAME}")
    except FileNotFoundError:
        return None
    contents = empty()
    with file, _without_gc():
        manifest = read_manifest(file, contents)
        _take_over(tree, manifest.spelling, contents)
    codec = FrameCodec(manifest.secret)
    with ExitStack() as ends:
        segments = [SegmentFile(ends.enter_context(file)) for file in _journal(disk, tree)]
        frames = codec.frames_after(segments, manifest.covered.seq)
    return Survey(manifest, codec, contents, frames)


def foreign(tree: Tree, spelling: Spelling, empty: Callable[[], Contents]) -> Contents:
    """Look at a folder that somebody else filled: every file is a value as it is."""
    contents = empty()
    with _without_gc():
        _take_over(tree, spelling, contents)
    return contents


def _journal(disk: Disk, tree: Tree) -> Iterator[BinaryIO]:
    """Open both journal files, as far as they are there yet."""
    for name in SEGMENTS:
        with suppress(FileNotFoundError):
            yield disk.open(f"{tree.base}/{CONTROL}/{name}")


def _take_over(tree: Tree, spelling: Spelling, contents: Contents) -> None:
    """Add the values that are not recorded, and put the index in order."""
    strange = 0
    strangers = contents.strangers(tree.walk(spelling))
    while some := list(islice(strangers, PORTION)):
        added = {}
        for key, entry in some:
            if key is None or not is_key(key):
                strange += 1
                continue
            with suppress(FileNotFoundError):
                at = entry.stat(follow_symlinks=False).st_mtime_ns // 1000
                added[key] = min(max(at, 0), MAX_POSITION)
        contents.adopt(added)
    if strange:
        _log.warning("%s: %d files are not spelled as keys: left alone", tree.base, strange)
    contents.complete()


@contextmanager
def _without_gc() -> Iterator[None]:
    """Pause the cycle collector: it would walk a growing heap of plain strings again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
