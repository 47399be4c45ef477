"""When changes of the credentials go to the store, and what waits until then.

Within a transaction they always go in its one batch. Outside of one, the policy decides: at once;
together, a moment after the last; or with the next batch of keys. Whatever waits is written by
`flush`, which comes before anything that relies on it goes on the wire.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from wa_core.errors import UsageError, WaError
from wa_core.state.commits import CommitQueue, Edit
from wa_core.state.creds import Creds
from wa_core.storage import Operation

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When a change outside of a transaction is written; see the three ready ones."""

    at_once: bool = False
    """A change returns when it is in the store."""
    with_keys: bool = False
    """What waits goes with the next batch of keys."""
    delay_s: float | None = None
    """What waits goes this long after the last change."""
    longest_s: float = 10.0
    """And at most this long after the first, should the changes never cease."""

    def __post_init__(self) -> None:
        if self.delay_s is not None and not 0 < self.delay_s <= self.longest_s:
            raise UsageError("a policy waits more than 0 seconds, and at most longest_s")


IMMEDIATE = Policy(at_once=True)
"""Each change is one batch, and durable when the call returns."""
TRANSACTIONAL = Policy(with_keys=True)
"""Changes wait for the next batch of keys, and go in it."""
BATCHED = Policy(delay_s=1.0)
"""Changes go together, a second after the last."""


class Handle(Protocol):
    """A call that will be made later."""

    def cancel(self) -> None:
        """Make it never."""


class Timer(Protocol):
    """Calls later; an event loop is one."""

    def time(self) -> float:
        """Return seconds on the clock that `call_at` uses."""

    def call_at(self, when: float, callback: Callable[[], None]) -> Handle:
        """Call at a moment of that clock."""


@dataclass(slots=True, eq=False)
class _Change:
    edit: Edit
    sent: bool = False


class Unsaved:
    """Changes that were made and are not known to be in the store, in their order."""

    def __init__(self, queue: CommitQueue, policy: Policy, timer: Timer) -> None:
        self.policy = policy
        self._queue = queue
        self._timer = timer
        self._changes: list[_Change] = []
        self._view: tuple[Creds, Creds] | None = None
        """What the store held when this was worked out, and with the changes made."""
        self._first_at: float | None = None
        self._due: Handle | None = None

    @property
    def creds(self) -> Creds:
        """The credentials with every change made."""
        stored = self._queue.creds
        if self._view is None or self._view[0] is not stored:
            changed = stored
            for change in self._changes:
                changed = change.edit(changed)
            self._view = (stored, changed)
        return self._view[1]

    def add(self, edit: Edit) -> None:
        """Make a change that waits; one that cannot be written is refused here."""
        changed = edit(self.creds)
        changed.to_bytes()
        self._changes.append(_Change(edit))
        self._view = (self._queue.creds, changed)
        self._wind_up()

    def submit(
        self,
        operations: Sequence[Operation] = (),
        edits: Sequence[Edit] = (),
        *,
        keep_creds: bool = False,
        flush: bool = False,
    ) -> asyncio.Future[None]:
        """Queue a commit, and with it what waits, if the policy or the commit wants that."""
        waiting: list[_Change] = []
        if flush or edits or self.policy.with_keys:
            # Not behind a change that came later: that one builds on these.
            waiting = [change for change in self._changes if not change.sent]
            self._stop()
        for change in waiting:
            change.sent = True
        done = self._queue.submit(
            operations,
            [*(change.edit for change in waiting), *edits],
            keep_creds=keep_creds,
            decided=lambda landed: self._decided(waiting, landed),
        )
        if waiting:
            done.add_done_callback(self._answered)
        return done

    def forget(self) -> None:
        """Drop everything: it was meant for a state that somebody else has changed."""
        if self._changes:
            log.warning("%d changes of credentials were dropped with the lease", len(self._changes))
        self._changes.clear()
        self._view = None
        self._stop()

    def _decided(self, changes: Sequence[_Change], landed: bool) -> None:
        for change in changes:
            change.sent = False
        if landed:
            gone = set(map(id, changes))
            self._changes = [change for change in self._changes if id(change) not in gone]
            self._view = None

    def _answered(self, done: asyncio.Future[None]) -> None:
        error = None if done.cancelled() else done.exception()
        if error is not None:
            code = error.code if isinstance(error, WaError) else type(error).__name__
            log.warning("credentials are not saved yet: %s", code)
            if not isinstance(error, WaError) or error.retryable:
                self._wind_up()

    def _wind_up(self) -> None:
        if self.policy.delay_s is None:
            return
        now = self._timer.time()
        if self._first_at is None:
            self._first_at = now
        if self._due is not None:
            self._due.cancel()
        due = max(now, min(now + self.policy.delay_s, self._first_at + self.policy.longest_s))
        self._due = self._timer.call_at(due, self._flush_now)

    def _stop(self) -> None:
        self._first_at = None
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _flush_now(self) -> None:
        self.submit(flush=True)
