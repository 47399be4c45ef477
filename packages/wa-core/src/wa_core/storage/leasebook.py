"""The lease of one session, kept by an engine whose writers all live in one process [L1, L2].

Time is a clock that runs on while the machine sleeps, so that a process woken up after an hour
finds its lease expired.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from wa_core.errors import FencedError, LeaseHeldError
from wa_core.storage.lease import Holder


def suspend_clock() -> float:
    """Return seconds on a clock that never steps and also counts suspended time."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class LeaseBook:
    """At most one current lease, and an epoch that only grows."""

    def __init__(self, *, epoch: int = 0, now: Callable[[], float] = suspend_clock) -> None:
        self.epoch = epoch
        self._now = now
        self._holder = ""
        self._expires_at = float("-inf")

    @property
    def holder(self) -> Holder | None:
        """Who holds the lease now."""
        left = self._expires_at - self._now()
        return Holder(self._holder, left) if left > 0 else None

    def check_free(self) -> None:
        """Raise `LeaseHeldError` if somebody holds the lease."""
        held = self.holder
        if held is not None:
            raise LeaseHeldError(held.name, held.expires_in or 0.0)

    def grant(self, holder: str, ttl: float) -> int:
        """Give the lease to `holder` and return its epoch, or raise `LeaseHeldError`."""
        self.check_free()
        self.epoch += 1
        self._holder, self._expires_at = holder, self._now() + ttl
        return self.epoch

    def renew(self, epoch: int, ttl: float) -> None:
        """Prolong the lease of `epoch`, or raise `FencedError`."""
        self.check_current(epoch)
        self._expires_at = self._now() + ttl

    def release(self, epoch: int) -> None:
        """End the lease of `epoch` if it is still the last one given."""
        if epoch == self.epoch:
            self._expires_at = float("-inf")

    def check_current(self, epoch: int) -> None:
        """Raise `FencedError` unless the lease of `epoch` is current [L3]."""
        if epoch != self.epoch or self._now() >= self._expires_at:
            raise FencedError(epoch)
