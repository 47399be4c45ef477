"""Several threads for a burst of file work.

The idea: a file that is removed waits for the file system's own journal, and those waits run side
by side. A few steps are done at once, for a thread costs more than they do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

HANDS = 4
ALONE_UNTIL = 32
"""So many items are done by the caller."""

T = TypeVar("T")


def each(work: Callable[[T], object], items: Sequence[T]) -> None:
    """Do `work` on every item, in any order; raise an error when all hands have stopped."""
    if len(items) <= ALONE_UNTIL:
        for item in items:
            work(item)
        return
    left: SimpleQueue[T] = SimpleQueue()
    for item in items:
        left.put(item)
    errors: list[BaseException] = []

    def lend_a_hand() -> None:
        while not errors:
            try:
                item = left.get_nowait()
            except Empty:
                return
            try:
                work(item)
            except BaseException as exc:
                errors.append(exc)

    hands: list[threading.Thread] = []
    with suppress(RuntimeError):  # where no more threads are to be had, fewer hands do it
        while len(hands) < HANDS - 1:
            # Daemons, like the thread that calls: a disk that hangs keeps no process alive.
            hand = threading.Thread(target=lend_a_hand, name="wa-file-hand", daemon=True)
            hand.start()
            hands.append(hand)
    lend_a_hand()
    for hand in hands:
        hand.join()
    if errors:
        raise errors[0]
