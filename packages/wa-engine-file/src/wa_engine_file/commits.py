"""The queue of batches: one commit at a time, each for all batches that wait [W1, W6].

The idea: a batch is planned against the contents only when nothing is in flight, and the contents
change only when its commit is done. So there is one order, and what waits is committed together.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from wa_core.errors import EngineClosedError, EngineUnavailableError, WaError
from wa_core.storage import Lease, Operation, Put

from wa_engine_file.change import Change
from wa_engine_file.place import place
from wa_engine_file.plan import Plan
from wa_engine_file.store import Store
from wa_engine_file.worker import Worker

INLINE_OPERATIONS = 16
INLINE_BYTES = 256 * 1024
GROUP_BYTES = 16 * 1024 * 1024


@dataclass(slots=True, eq=False)
class Waiting:
    """A batch whose turn has not come."""

    operations: Sequence[Operation] | None
    """None removes everything."""
    fence: Lease | None
    done: asyncio.Future[None]
    size: int
    """The bytes of its values."""


class Commits:
    """Takes batches in the order of the calls and answers each when it is durable."""

    def __init__(self, store: Store, worker: Worker, *, inline: bool) -> None:
        self._store = store
        self._worker = worker
        self._inline = inline
        self._queue: deque[Waiting] = deque()
        self._singly = 0
        self._busy = False
        self._refuses = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def busy(self) -> bool:
        """Whether a commit is in flight whose effect the contents do not show yet."""
        return self._busy

    async def submit(
        self, operations: Sequence[Operation] | None, fence: Lease | None = None
    ) -> None:
        """Commit; a cancelled call is taken back whole or goes on without its caller [X1]."""
        done = asyncio.get_running_loop().create_future()
        size = sum(len(put.value) for put in operations or () if isinstance(put, Put))
        self._queue.append(Waiting(operations, fence, done, size))
        self._pump()
        await done

    async def drained(self) -> None:
        """Return when nothing waits and nothing is in flight."""
        await self._idle.wait()

    def refuse(self) -> None:
        """Commit nothing from now on; what still waits fails, for the store is being closed."""
        self._refuses = True
        for waiting in self._queue:
            if not waiting.done.done():
                waiting.done.set_exception(EngineClosedError())
        self._queue.clear()

    def _pump(self) -> None:
        """Start the next commit if none is in flight."""
        if self._refuses:
            self.refuse()
        self._idle.clear()
        while self._queue and not self._busy:
            group = self._take()
            try:
                change, members = self._plan(group)
            except MemoryError:
                self._fail(group, EngineUnavailableError("out of memory"))
                continue
            except EngineUnavailableError as exc:
                self._fail(group, exc)
                continue
            if not self._store.would_write(change):
                self._finish(change, members)
            elif self._fits_inline(change, members):
                self._commit_here(change, members)
            else:
                self._commit_there(change, members)
        if not self._busy:
            self._idle.set()

    def _take(self) -> list[Waiting]:
        group: list[Waiting] = []
        size = 0
        while self._queue and (not group or (size < GROUP_BYTES and not self._singly)):
            waiting = self._queue.popleft()
            if not waiting.done.done():
                group.append(waiting)
                size += waiting.size
        self._singly = max(0, self._singly - 1)
        return group

    def _plan(self, group: list[Waiting]) -> tuple[Change, list[Waiting]]:
        contents, leases = self._store.contents, self._store.leases
        plan, members = Plan(contents.index, self._store.clock), []
        for waiting in group:
            try:
                if waiting.fence is not None:
                    leases.check_current(waiting.fence.epoch)
            except WaError as exc:
                waiting.done.set_exception(exc)
                continue
            if waiting.operations is None:
                plan.clear()
            else:
                plan.add(waiting.operations)
            members.append(waiting)
        change = plan.change()
        change.epoch = leases.epoch
        place(change, contents, self._store.spelling)
        return change, members

    def _fits_inline(self, change: Change, members: list[Waiting]) -> bool:
        """Tell whether the commit waits for no disk and is shorter than a trip to the thread."""
        return (
            self._inline
            and self._worker.waiting == 0
            and not self._store.segment_is_full
            and len(change.removed) + len(change.records) <= INLINE_OPERATIONS
            and sum(waiting.size for waiting in members) <= INLINE_BYTES
        )

    def _commit_here(self, change: Change, members: list[Waiting]) -> None:
        try:
            self._store.commit(change)
        except BaseException as exc:
            self._fail(members, exc)
        else:
            self._finish(change, members)

    def _commit_there(self, change: Change, members: list[Waiting]) -> None:
        self._busy = True
        flight = self._worker.submit(lambda: self._store.commit(change))
        flight.add_done_callback(lambda flight: self._landed(flight, change, members))

    def _landed(self, flight: asyncio.Future[None], change: Change, members: list[Waiting]) -> None:
        self._busy = False
        error = flight.exception()
        if error is None:
            self._finish(change, members)
        else:
            self._fail(members, error)
        self._pump()

    def _finish(self, change: Change, members: list[Waiting]) -> None:
        error: EngineUnavailableError | None = None
        try:
            self._store.contents.take(change)
        except EngineUnavailableError as exc:
            error = exc  # the batch is true, but nobody can be told what is there now
        for waiting in members:
            if waiting.done.done():
                continue
            if error is None:
                waiting.done.set_result(None)
            else:
                waiting.done.set_exception(error)

    def _fail(self, members: list[Waiting], error: BaseException) -> None:
        """Tell one caller; let several try again one by one, for one may have failed them all."""
        if len(members) > 1:
            self._queue.extendleft(reversed(members))
            self._singly = len(members)
            return
        for waiting in members:
            if not waiting.done.done():
                waiting.done.set_exception(error)
