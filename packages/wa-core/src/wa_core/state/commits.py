"""The one queue that everything of a state is written through, in the order of the calls.

What waits while a batch is on its way goes together as the next one: as many changes of the
credentials as there are, one record. Changes of credentials are functions, applied when their turn
comes, so that none undoes another.

A batch whose outcome nobody knows is a third result [W3]. Its callers get the error; before
anything else is read or written the same batch is applied again, so that nobody computes on a
state that a late write will still change.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from wa_core.errors import (
    EngineBusyError,
    EngineConfigError,
    FencedError,
    StoreVersionError,
    UsageError,
    ValueTooLargeError,
)
from wa_core.state.creds import Creds
from wa_core.storage import Batch, Engine, Lease, Operation, Put
from wa_core.storage.layouts import CREDS

Edit = Callable[[Creds], Creds]
Note = Callable[[Sequence[Operation]], None]

MAX_GROUP_OPERATIONS = 2_000
MAX_GROUP_BYTES = 4 * 1024 * 1024

_NOTHING_WRITTEN = (
    UsageError,
    FencedError,
    ValueTooLargeError,
    EngineBusyError,
    EngineConfigError,
    StoreVersionError,
)
"""With these the outcome is known: the state before the batch."""


@dataclass(frozen=True, slots=True, eq=False)
class Commit:
    """What one caller wants written, all of it or nothing."""

    operations: Sequence[Operation]
    edits: Sequence[Edit]
    done: asyncio.Future[None] = field(repr=False)
    keep_creds: bool = False
    """Write the credentials also if they are what they were: an operation takes them away."""
    decided: Callable[[bool], None] | None = field(default=None, repr=False)
    """Called once it is known, however late, whether the commit is in the store."""

    @property
    def size(self) -> int:
        """How many bytes of values it writes, the credentials aside."""
        return sum(len(part.value) for part in self.operations if isinstance(part, Put))


@dataclass(frozen=True, slots=True)
class _Step:
    """A batch as it is applied: the members it comes from, and the credentials it leaves."""

    operations: Sequence[Operation]
    creds: Creds
    members: Sequence[Commit]


class CommitQueue:
    """Applies commits to one engine, in order, many at a time."""

    def __init__(self, engine: Engine, creds: Creds, *, lease: Lease | None = None) -> None:
        self.creds = creds
        """The credentials that the store is known to hold."""
        self.lease = lease
        self._engine = engine
        self._waiting: deque[Commit] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._doubt: _Step | None = None
        self._gate = asyncio.Lock()
        self._watchers: list[Note] = []

    def submit(
        self,
        operations: Sequence[Operation] = (),
        edits: Sequence[Edit] = (),
        *,
        keep_creds: bool = False,
        decided: Callable[[bool], None] | None = None,
    ) -> asyncio.Future[None]:
        """Queue a commit; the future is done when its outcome is known or known to be unknown."""
        loop = asyncio.get_running_loop()
        commit = Commit(operations, edits, loop.create_future(), keep_creds, decided)
        # A caller may be gone when the outcome comes: then nobody asks for its error.
        commit.done.add_done_callback(_noticed)
        self._waiting.append(commit)
        if self._worker is None or self._worker.done():
            self._worker = loop.create_task(self._work(), name="wa commits")
        return commit.done

    async def settle(self) -> None:
        """Return when no batch is in doubt, or raise what keeps it there."""
        if self._doubt is not None:
            await asyncio.shield(self.submit())

    async def drain(self) -> None:
        """Wait until nothing is on its way, whatever comes of it."""
        while self._worker is not None and not self._worker.done():
            await asyncio.wait([self._worker])

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Keep all batches waiting, with none in doubt, while this is entered."""
        await self.settle()
        async with self._gate:
            yield

    @contextmanager
    def watched(self, note: Note) -> Iterator[None]:
        """Tell of every batch, before it goes to the store, while this is entered."""
        self._watchers.append(note)
        try:
            yield
        finally:
            self._watchers.remove(note)

    def restart(self, creds: Creds, lease: Lease | None) -> None:
        """Go on from what another holder may have written; only when drained."""
        self.creds, self.lease, self._doubt = creds, lease, None

    async def _work(self) -> None:
        try:
            while self._waiting:
                async with self._gate:
                    await self._apply(self._group())
        finally:
            # Not empty only if the task itself was cancelled: a loop that ends.
            for commit in self._waiting:
                commit.done.cancel()
            self._waiting.clear()

    def _group(self) -> list[Commit]:
        """Take what fits into one batch; the first fits always."""
        group = [self._waiting.popleft()]
        operations, size = len(group[0].operations), group[0].size
        while self._waiting:
            operations += len(self._waiting[0].operations)
            size += self._waiting[0].size
            if operations > MAX_GROUP_OPERATIONS or size > MAX_GROUP_BYTES:
                break
            group.append(self._waiting.popleft())
        return group

    async def _apply(self, group: Sequence[Commit]) -> None:
        if self._doubt is not None and not await self._resolved(self._doubt, group):
            return
        step = self._step(group)
        try:
            await self._write(step)
        except _NOTHING_WRITTEN as exc:
            if len(group) > 1 and not isinstance(exc, FencedError):
                # Only who is to blame shall fail.
                for commit in group:
                    await self._apply([commit])
            else:
                _refuse(group, exc)
        except BaseException as exc:
            self._doubt = step
            _answer(group, exc)
            if not isinstance(exc, Exception):
                raise

    async def _resolved(self, doubt: _Step, group: Sequence[Commit]) -> bool:
        """Apply the batch in doubt again; while that fails, refuse what came after it."""
        try:
            await self._write(doubt)
        except Exception as exc:
            _refuse(group, exc)
            return False
        self._doubt = None
        return True

    async def _write(self, step: _Step) -> None:
        if step.operations:
            for note in self._watchers:
                note(step.operations)
            await self._engine.apply(Batch(step.operations), fence=self.lease)
        self.creds = step.creds
        for commit in step.members:
            _decide(commit, landed=True)
            if not commit.done.done():
                commit.done.set_result(None)

    def _step(self, group: Sequence[Commit]) -> _Step:
        """Make one batch of a group; however many change the credentials, they are put once."""
        operations: list[Operation] = []
        members: list[Commit] = []
        creds, text = self.creds, b""
        for commit in group:
            if commit.done.done():
                continue
            try:
                changed = _edited(creds, commit.edits)
                if changed is not creds or commit.keep_creds:
                    text = changed.to_bytes()
            except Exception as exc:
                # An edit is the caller's own code: what it raises is the caller's answer.
                _refuse([commit], exc)
            else:
                creds = changed
                operations += commit.operations
                members.append(commit)
        if text:
            operations.append(Put(CREDS, text))
        return _Step(operations, creds, members)


def _edited(creds: Creds, edits: Sequence[Edit]) -> Creds:
    for edit in edits:
        creds = edit(creds)
    return creds


def _refuse(group: Sequence[Commit], error: Exception) -> None:
    """Answer commits that are known not to be in the store."""
    for commit in group:
        if not commit.done.done():
            _decide(commit, landed=False)
    _answer(group, error)


def _answer(group: Sequence[Commit], error: BaseException) -> None:
    for commit in group:
        if commit.done.done():
            continue
        if isinstance(error, asyncio.CancelledError):
            commit.done.cancel()
        else:
            commit.done.set_exception(error)


def _decide(commit: Commit, *, landed: bool) -> None:
    if commit.decided is not None:
        commit.decided(landed)


def _noticed(done: asyncio.Future[None]) -> None:
    if not done.cancelled():
        done.exception()
