"""The file engine for reading: any number of them beside the one writer, in any process.

The idea: a reader never writes, and never trusts the folder alone. Each call first takes what the
journal has to say since the last one; a value that a commit touched is taken from the journal, all
others from the folder, and after reading the journal is asked once more.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import TypeVar

from wa_core.errors import CorruptRecordError, EngineUnavailableError, ReadOnlyError
from wa_core.storage import (
    DEFAULT_TIMEOUT_S,
    Capabilities,
    Durability,
    Engine,
    Entry,
    Holder,
    Lease,
    Operation,
)

from wa_engine_file.change import Change
from wa_engine_file.contents import Contents, MemoryContents
from wa_engine_file.disk import Disk
from wa_engine_file.engine import CLAIMS, MAX_VALUE, portion, proven
from wa_engine_file.faults import file_errors
from wa_engine_file.follower import Follower, OvertakenError
from wa_engine_file.keys import CONTROL, Spelling
from wa_engine_file.lock import holder_of
from wa_engine_file.manifest import NAME
from wa_engine_file.survey import foreign, survey
from wa_engine_file.tree import Tree
from wa_engine_file.worker import Worker

TRIES = 5
FIRST_LINE_BYTES = 40

T = TypeVar("T")


class Watch:
    """A reader's view of the folder, brought up to date by every call; all synchronous."""

    def __init__(
        self, disk: Disk, base: str, empty: Callable[[], Contents] = MemoryContents
    ) -> None:
        self._disk = disk
        self._tree = Tree(disk, base)
        self._manifest = f"{base}/{CONTROL}/{NAME}"
        self._seen = b""
        self._looked = False
        self._spelling = Spelling.PLAIN
        self._follower: Follower | None = None
        self._fresh: dict[str, bytes] = {}
        """Values that the journal held and that may not be in the folder yet."""
        self._empty = empty
        self.contents: Contents = MemoryContents()
        self.catch_up()

    def catch_up(self) -> dict[str, bytes | None] | None:
        """Take what was committed since, as values by key; None when all may be different."""
        with file_errors():
            if not self._looked or self._first_line() != self._seen:
                self._look()
                return None
            if self._follower is None:
                return {}
            try:
                changes = self._follower.changes()
            except OvertakenError:
                self._look()
                return None
        news: dict[str, bytes | None] = {}
        for change in changes:
            news.update(dict.fromkeys(change.removed))
            news.update(self._take(change))
            # A commit begins when the one before it is in the folder: only the last may not be.
            self._fresh = {key: record.value for key, record in change.records.items()}
        return news

    def read(self, keys: Sequence[str]) -> list[Entry]:
        """Return the records of those that are present, all as of one moment [W1]."""
        self.catch_up()
        for _ in range(TRIES):
            known = self.contents.known(keys)
            found = {key: self._value(key) for key in known}
            news = self.catch_up()
            if news is None:
                continue
            if news:
                found.update((key, news[key]) for key in keys if key in news)
                known = self.contents.known(keys)
            return [proven(key, found[key], known[key]) for key in known]
        raise EngineUnavailableError("the writer is faster than this reader")

    def holder(self) -> str | None:
        """Tell which process writes here now."""
        with file_errors():
            return holder_of(f"{self._tree.base}/{CONTROL}")

    def scan(self, prefix: str, after: str | None) -> tuple[list[Entry], str | None]:
        """Return some of the records behind a key, and the last key that was looked at."""
        self.catch_up()
        keys = list(portion(self.contents, prefix, after))
        return self.read(keys), keys[-1] if keys else None

    def close(self) -> None:
        """Let go of what is known."""
        self.contents.close()

    def _value(self, key: str) -> bytes | None:
        if key in self._fresh:
            return self._fresh[key]
        with file_errors():
            return self._tree.read(self._spelling.path(key))

    def _take(self, change: Change) -> dict[str, bytes]:
        self.contents.take(change)
        return {key: record.value for key, record in change.records.items()}

    def _first_line(self) -> bytes:
        """Tell one store from the next in the same place; empty where no writer has been."""
        try:
            with open(self._manifest, "rb", buffering=0) as manifest:
                return manifest.read(FIRST_LINE_BYTES)
        except FileNotFoundError:
            return b""

    def _look(self) -> None:
        """Look at the whole folder; when a writer went too fast for one pass, look again."""
        for last_try in (*[False] * (TRIES - 1), True):
            self._seen, self._looked = self._first_line(), True
            try:
                found = survey(self._disk, self._tree, self._empty)
            except CorruptRecordError:
                if last_try:
                    raise
                continue
            self._fresh = {}
            self.contents.close()
            if found is None:
                self.contents = foreign(self._tree, Spelling.PLAIN, self._empty)
                self._follower = None
                return
            self.contents, self._spelling = found.contents, found.spelling
            newest = found.frames[-1] if found.frames else None
            control = f"{self._tree.base}/{CONTROL}"
            self._follower = Follower(control, found.codec, newest, found.covered.seq)
            for frame in found.frames:
                for key in frame.change.removed:
                    self._fresh.pop(key, None)
                self._fresh.update(self._take(frame.change))
            return


class FileReader(Engine):
    """A session's folder, read beside its writer or without one."""

    def __init__(self, watch: Watch, *, timeout: float = DEFAULT_TIMEOUT_S) -> None:
        promised = Capabilities(
            # What it shows may not be synced yet.
            durability=Durability.PROCESS,
            shared=False,
            max_value=MAX_VALUE,
            claims=CLAIMS,
            read_only=True,
        )
        super().__init__(promised, timeout=timeout)
        self._watch = watch
        self._worker = Worker("wa-file-reader")

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found = await self._worker.submit(lambda: self._watch.read(keys))
        return {entry.key: entry.value for entry in found}

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        return await self._up_to_date(lambda found: found.index.page(prefix, offset, limit))

    async def _count(self, prefix: str) -> int:
        return await self._up_to_date(lambda found: found.index.count(prefix))

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        async with aclosing(self._scan_many(prefix)) as portions:
            async for entries in portions:
                for entry in entries:
                    yield entry

    async def _scan_many(self, prefix: str) -> AsyncGenerator[Sequence[Entry], None]:
        after: str | None = None
        while True:
            entries, after = await self._worker.submit(partial(self._watch.scan, prefix, after))
            if after is None:
                return
            yield entries

    async def largest_value(self) -> int | None:
        """Return the size of the largest value without reading any; None where that is unknown."""
        return await self._in_time(self._up_to_date(lambda found: found.largest()))

    async def _up_to_date(self, ask: Callable[[Contents], T]) -> T:
        def look() -> T:
            self._watch.catch_up()
            return ask(self._watch.contents)

        return await self._worker.submit(look)

    async def _holder(self) -> Holder | None:
        name = await self._worker.submit(self._watch.holder)
        return None if name is None else Holder(name)

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        raise ReadOnlyError

    async def _clear(self) -> None:
        raise ReadOnlyError

    async def _close(self) -> None:
        gone = self._worker.submit(self._watch.close)
        self._worker.stop()
        await gone
