"""What a session's folder holds, found in one pass: the first thing that any opener does.

The idea: manifest, walk, journal, in that order. A file that the walk saw while a writer was at
work was in the journal before it was in the folder, so reading the journal last puts right
whatever the walk saw too early or too late.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from wa_core.storage import MAX_POSITION, OrderedIndex, is_key

from wa_engine_file.change import Change, Facts
from wa_engine_file.disk import Disk
from wa_engine_file.journal import SEGMENTS, Frame, FrameCodec
from wa_engine_file.keys import CONTROL, Spelling
from wa_engine_file.manifest import NAME, Covered, Manifest, Sum, facts_from, parse
from wa_engine_file.tree import Tree

_log = logging.getLogger(__name__)


class Contents:
    """The keys of a session with their positions, and what is known of their values."""

    def __init__(self, positions: dict[str, int], sums: dict[str, Sum]) -> None:
        """Take over what a manifest says."""
        self.index = OrderedIndex()
        self.index.load(positions)
        self._sums = sums

    def facts(self, key: str) -> Facts | None:
        """Return what was recorded for `key`, or None for a file that we did not write."""
        return facts_from(self._sums.get(key), self.index.position(key) or 0)

    def take(self, change: Change) -> None:
        """Make the change visible."""
        for key in change.removed:
            self.index.discard(key)
            self._sums.pop(key, None)
        records = change.records
        self.index.put_all({key: record.facts.at for key, record in records.items()})
        for key, record in records.items():
            self._sums[key] = record.facts[1:]


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


def survey(disk: Disk, tree: Tree) -> Survey | None:
    """Look at a folder; None when no writer of ours has been there."""
    try:
        manifest = parse(disk.read(f"{tree.base}/{CONTROL}/{NAME}"))
    except FileNotFoundError:
        return None
    with _without_gc():
        contents = _contents(tree, manifest)
    codec = FrameCodec(manifest.secret)
    frames = codec.frames_after(segments(disk, tree), manifest.covered.seq)
    return Survey(manifest, codec, contents, frames)


def foreign(tree: Tree, manifest: Manifest) -> Contents:
    """Look at a folder that somebody else filled: every file is a value as it is, and is added to
    the manifest with its position."""
    with _without_gc():
        return _contents(tree, manifest)


def segments(disk: Disk, tree: Tree) -> list[bytes]:
    """Read both journal files; one that is not there yet is empty."""
    found = []
    for name in SEGMENTS:
        try:
            found.append(disk.read(f"{tree.base}/{CONTROL}/{name}"))
        except FileNotFoundError:
            found.append(b"")
    return found


def _contents(tree: Tree, manifest: Manifest) -> Contents:
    positions = manifest.positions
    strangers, strange = tree.walk(manifest.spelling, positions)
    added = {}
    for key, entry in strangers.items():
        if is_key(key):
            with suppress(FileNotFoundError):
                at = entry.stat(follow_symlinks=False).st_mtime_ns // 1000
                added[key] = min(max(at, 0), MAX_POSITION)
        else:
            strange += 1
    if strange:
        _log.warning("%s: %d files are not spelled as keys: left alone", tree.base, strange)
    positions.update(added)
    return Contents(positions, manifest.sums)


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
