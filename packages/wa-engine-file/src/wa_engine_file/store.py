"""The writer's side of a session's folder: recovery, commits and checkpoints, all synchronous.

The idea: a change is true when its frame is in the journal; the folder follows at once, and is
synced later, many changes at a time, before the journal forgets them. A step that fails behind
the journal (the disk is full) is owed, not lost: reads see it, and it is taken up again.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from wa_core.errors import CorruptRecordError, EngineConfigError, EngineUnavailableError
from wa_core.storage import LeaseBook, PositionClock
from wa_core.storage.position import wall_clock_us

from wa_engine_file.change import Change, Facts, Record, facts_of
from wa_engine_file.contents import Contents, MemoryContents
from wa_engine_file.dirt import Dirt
from wa_engine_file.disk import Disk
from wa_engine_file.faults import file_errors
from wa_engine_file.journal import SEGMENTS, FrameCodec, SegmentWriter
from wa_engine_file.keys import CONTROL, Spelling
from wa_engine_file.manifest import Covered, Manifest, ManifestFile
from wa_engine_file.place import place_again
from wa_engine_file.survey import Survey, foreign, survey
from wa_engine_file.tree import Tree

_log = logging.getLogger(__name__)

SEGMENT_BYTES = 8 * 1024 * 1024
SEGMENT_KEYS = 16 * 1024
"""A removal takes little room there, and yet its key is remembered until the next checkpoint."""


class Store:
    """A folder that this process holds the lock of."""

    def __init__(
        self,
        disk: Disk,
        base: str,
        *,
        synced: bool,
        spelling: Spelling | None = None,
        adopt: bool = False,
        segment_bytes: int = SEGMENT_BYTES,
        empty: Callable[[], Contents] = MemoryContents,
    ) -> None:
        self._disk = disk
        self._control = f"{base}/{CONTROL}"
        self._segment_bytes = segment_bytes
        self._synced = synced
        self.tree = Tree(disk, base)
        self._wanted = spelling
        self._empty = empty
        self._manifest = ManifestFile(disk, self._control, synced=synced, empty=empty)
        self._owed: list[Change] = []
        self._dirt = Dirt(disk.syncs_all)
        self._block: dict[str, Facts | None] = {}
        self._checkpoint: threading.Thread | None = None
        self._fault: BaseException | None = None
        self._unwritten: tuple[dict[str, Facts | None], Covered] | None = None
        try:
            self._begin_with(self._recover(adopt=adopt))
        except BaseException:
            self._manifest.close()
            raise

    def _begin_with(self, found: Survey) -> None:
        self.spelling = found.spelling
        self.contents: Contents = found.contents
        self._codec: FrameCodec = found.codec
        self._seq = found.covered.seq
        self._saved_epoch = found.covered.epoch
        self.clock = PositionClock(last=found.covered.last)
        self.leases = LeaseBook(epoch=found.covered.epoch)
        self._segment = self._begin_segment(found.covered.generation + 1)

    # Commits.

    @property
    def segment_is_full(self) -> bool:
        """Whether the next commit begins a new segment, which may take a while."""
        full = self._segment.offset >= self._segment_bytes
        return full or len(self._block) >= SEGMENT_KEYS

    def would_write(self, change: Change) -> bool:
        """Tell whether the change says anything that is not on the disk yet."""
        return bool(change.records or change.removed) or change.epoch != self._saved_epoch

    def commit(self, change: Change) -> None:
        """Make a change true [W1, W2]; after an error nothing has changed, or nobody can tell."""
        self._check_sound()
        with file_errors():
            self._settle()
            self._bring_along(change)
            if self.segment_is_full:
                self._turn_over()
            self._segment.append(change, self._seq + 1)
        self._seq += 1
        self._saved_epoch = change.epoch
        for key in change.removed:
            self._block[key] = None
        for key, record in change.records.items():
            self._block[key] = record.facts
        self._owed.append(change)
        with suppress(OSError, MemoryError):
            self._settle()

    def read(self, key: str) -> bytes | None:
        """Return the bytes of a value, as the last commit left them; None if there are none."""
        return self.read_all((key,))[0]

    def read_all(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the bytes of several values."""
        with file_errors():
            if self._owed:
                return [self._latest(key) for key in keys]
            read, path = self.tree.read, self.spelling.path
            return [read(path(key)) for key in keys]

    def _latest(self, key: str) -> bytes | None:
        for change in reversed(self._owed):
            if key in change.records:
                return change.records[key].value
            if change.removes(key):
                return None
        return self.tree.read(self.spelling.path(key))

    def close(self) -> None:
        """Bring the folder up to date and let go; what cannot be done stays in the journal."""
        self._wait_for_checkpoint()
        try:
            self._settle()
            self._check_sound()
            self._write_down()
            self._save(self._dirt, self._block, self._covered())
            self.tree.sweep()
        except (OSError, MemoryError, EngineUnavailableError) as exc:
            _log.warning("the journal keeps what the folder lacks, until the next open: %s", exc)
        finally:
            self._segment.close()
            self._manifest.close()
            self.contents.close()

    def _bring_along(self, change: Change) -> None:
        """Read the values that only change their place: the journal must hold them too."""
        for moved in change.moved:
            value = self.read(moved.key)
            if value is None:
                change.steps.create = [step for step in change.steps.create if step[1] != moved.key]
                continue
            known = moved.known
            facts = facts_of(value, known) if isinstance(known, int) else known
            change.records[moved.key] = Record(value, facts)

    def _settle(self) -> None:
        while self._owed:
            change = self._owed[0]
            self.tree.make_true(change)
            self._dirt.add(change.steps)
            del self._owed[0]

    # Checkpoints.

    def _turn_over(self) -> None:
        """Go on in the other segment, and sync in the background what this one has covered."""
        self._wait_for_checkpoint()
        self._check_sound()
        self._write_down()
        dirt, block, covered = self._dirt, self._block, self._covered()
        following = self._begin_segment(covered.generation + 1)
        self._segment.close()
        self._segment, self._dirt, self._block = following, Dirt(self._disk.syncs_all), {}
        self._checkpoint = threading.Thread(
            target=self._save_or_fail,
            args=(dirt, block, covered),
            name="wa-checkpoint",
            daemon=True,
        )
        self._checkpoint.start()

    def _begin_segment(self, generation: int) -> SegmentWriter:
        path = f"{self._control}/{SEGMENTS[generation % 2]}"
        return SegmentWriter(
            self._disk, path, self._codec, generation=generation, synced=self._synced
        )

    def _covered(self) -> Covered:
        return Covered(self._seq, self._segment.generation, self.clock.last, self.leases.epoch)

    def _save_or_fail(self, dirt: Dirt, block: dict[str, Facts | None], covered: Covered) -> None:
        try:
            self._save(dirt, block, covered)
        except BaseException as exc:
            # What could only not be written down, for the disk is full, is tried again.
            if self._unwritten is None or not self._manifest.sound:
                self._fault = exc

    def _save(self, dirt: Dirt, block: dict[str, Facts | None], covered: Covered) -> None:
        """Sync the folder, then write down that it is right up to here."""
        if self._synced:
            dirt.sync(self._disk, self.tree.base)
        self._unwritten = block, covered
        self._write_down()

    def _write_down(self) -> None:
        if self._unwritten is not None:
            self._manifest.append(*self._unwritten)
            self._unwritten = None

    def _wait_for_checkpoint(self) -> None:
        if self._checkpoint is not None:
            self._checkpoint.join()
            self._checkpoint = None

    def _check_sound(self) -> None:
        """Refuse to go on after a failed sync: the kernel may have forgotten what it could not
        write, and only opening again, from the journal, brings it back."""
        if self._fault is not None or not self._segment.sound:
            raise EngineUnavailableError(
                "the disk failed to sync; close this engine and open it again"
            ) from self._fault

    # Opening.

    def _recover(self, *, adopt: bool) -> Survey:
        try:
            found = survey(self._disk, self.tree, self._empty)
        except CorruptRecordError:
            if not adopt:
                raise
            # What was given before is lost with the manifest: begin above anything it can be.
            return self._begin(Covered(last=wall_clock_us(), epoch=wall_clock_us()))
        if found is None:
            return self._begin(Covered())
        if self._wanted not in (None, found.spelling):
            raise EngineConfigError(
                f"spelling={self._wanted}",
                f"this store is spelled {found.spelling}: copy it to a new folder with wa-migrate",
            )
        contents = found.contents
        self._manifest.go_on(found.manifest, live=len(contents))
        self.tree.sweep()
        if found.frames:
            self._replay(found)
        if adopt:
            kept = Manifest(found.spelling, secrets.token_bytes(16), found.covered)
            contents.close()
            contents = foreign(self.tree, kept.spelling, self._empty)
            self._manifest.begin(kept, contents)
            found.codec = FrameCodec(kept.secret)
        return replace(found, contents=contents)

    def _begin(self, covered: Covered) -> Survey:
        """Take over a folder where no writer of ours has been, as far as can be known."""
        spelling = self._wanted or Spelling.PLAIN
        manifest = Manifest(spelling, secrets.token_bytes(16), covered)
        contents = foreign(self.tree, spelling, self._empty)
        self._manifest.begin(manifest, contents)
        if self._synced:
            self._disk.sync_path(self.tree.base)
        codec = FrameCodec(manifest.secret)
        return Survey(manifest, codec, contents, [])

    def _replay(self, found: Survey) -> None:
        """Make true what the journal holds beyond the manifest."""
        last_word = Change()
        for frame in found.frames:
            found.contents.take(frame.change)
            last_word.follow(frame.change)
        place_again(last_word, found.contents.index, found.spelling)
        self.tree.make_true(last_word)
        dirt = Dirt(self._disk.syncs_all)
        dirt.add(last_word.steps)
        newest = found.frames[-1]
        found.manifest.covered = Covered(
            newest.seq, newest.generation, newest.change.last, newest.change.epoch
        )
        block = dict.fromkeys(last_word.removed) | {
            key: record.facts for key, record in last_word.records.items()
        }
        self._save(dirt, block, found.covered)
