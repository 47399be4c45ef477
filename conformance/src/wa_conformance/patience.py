"""The last watchdog: an engine that blocks the event loop cannot be timed out from inside it.

A signal can: it interrupts whatever Python code runs in the main thread.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from wa_core.storage.clauses import BY_ID

from wa_conformance.violation import Violation


@contextmanager
def patience(seconds: float, *, clause: str) -> Iterator[None]:
    """Raise a `Violation` in the main thread when the block lasts longer."""
    if not _can_ring():
        yield
        return

    def ring(_number: int, _frame: FrameType | None) -> None:
        told = f"[F1: {BY_ID['F1'].sentence}]"
        raise Violation(clause, f"the check did not end within {seconds:g} s {told}")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _can_ring() -> bool:
    # Somebody else's alarm, a test runner's perhaps, goes before ours.
    return (
        hasattr(signal, "setitimer")
        and threading.current_thread() is threading.main_thread()
        and signal.getitimer(signal.ITIMER_REAL)[0] == 0
    )
