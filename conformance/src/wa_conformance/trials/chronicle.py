"""What the fighters of one round said, and what the store must hold if all of it is true."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import pairwise

from wa_conformance.violation import Violation

LAST_WORDS = 12


class Chronicle:
    """The words of one round, in the order in which they were heard."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin a round."""
        self.won: dict[int, str] = {}
        """Who won an epoch."""
        self.seen: dict[int, tuple[int, int]] = {}
        """The last write, as epoch and number, that the winner of an epoch found."""
        self.acked: dict[int, list[int]] = {}
        self.resting = 0
        self._over: set[int] = set()
        self._heard: deque[str] = deque(maxlen=LAST_WORDS)

    @property
    def writes(self) -> int:
        """How many writes were acknowledged."""
        return sum(map(len, self.acked.values()))

    def note(self, name: str, words: list[str]) -> None:
        """Write down what one fighter said."""
        self._heard.append(" ".join([name, *words]))
        match words:
            case ["won", epoch, seen]:
                self._note_win(name, int(epoch), seen)
            case ["ack", epoch, number]:
                self.acked.setdefault(int(epoch), []).append(int(number))
            case ["fenced" | "released", epoch, *_]:
                self._over.add(int(epoch))
            case ["resting"]:
                self.resting += 1
            case ["broken", kind, *rest]:
                message = f"{name} ended by {kind}: {' '.join(rest)}"
                raise Violation("X2", message)

    def holder(self) -> str | None:
        """Name who holds the newest epoch, as far as it was heard."""
        newest = max(self.won, default=0)
        return None if newest in self._over else self.won.get(newest)

    def held_by(self, name: str) -> int | None:
        """Return the newest epoch that a fighter has won, if it has not let go of it."""
        own = max((epoch for epoch, winner in self.won.items() if winner == name), default=0)
        return own if own and own not in self._over else None

    def acks_of_holder(self) -> int:
        """Count the writes under the newest epoch, if it is held."""
        return len(self.acked.get(max(self.won, default=0), ())) if self.holder() else 0

    def acks_after(self, epoch: int) -> int:
        """Count the writes under newer epochs."""
        return sum(len(numbers) for own, numbers in self.acked.items() if own > epoch)

    def let_go(self, epoch: int) -> bool:
        """Tell whether the holder of an epoch knows that it is over."""
        return epoch in self._over

    def last_words(self) -> str:
        """Return what was heard last."""
        return "; ".join(self._heard)

    def judge(self, log: Iterable[tuple[int, str]]) -> None:
        """Demand that the records, each with its position, are one epoch after the other."""
        written = [_epoch_and_number(key) for _, key in sorted(log)]
        for earlier, later in pairwise(written):
            if later <= earlier:
                raise Violation("L3", f"{later} (epoch, number) was written after {earlier}")
        self._judge_acks(set(written))
        for epoch, seen in self.seen.items():
            unseen = [one for one in written if seen < one < (epoch, 0)]
            if unseen:
                late = f"{unseen[0]} was written after epoch {epoch} was given"
                raise Violation("L3", f"{late}: its holder found {seen} as the last")

    def _judge_acks(self, written: set[tuple[int, int]]) -> None:
        for epoch, numbers in self.acked.items():
            if numbers != list(range(1, len(numbers) + 1)):
                raise Violation("W6", f"epoch {epoch} was acknowledged out of order: {numbers}")
            lost = [number for number in numbers if (epoch, number) not in written]
            if lost:
                raise Violation("W2", f"acknowledged in epoch {epoch} and not there: {lost}")
        strangers = {epoch for epoch, _ in written} - set(self.won)
        if strangers:
            raise Violation("L3", f"epochs of an earlier round have written: {sorted(strangers)}")

    def _note_win(self, name: str, epoch: int, seen: str) -> None:
        if epoch in self.won:
            raise Violation("L1", f"epoch {epoch} was given to {self.won[epoch]} and to {name}")
        self.won[epoch] = name
        last, _, number = seen.partition("/")
        self.seen[epoch] = (int(last), int(number))


def _epoch_and_number(key: str) -> tuple[int, int]:
    _, epoch, number = key.split("/")
    return int(epoch), int(number)
