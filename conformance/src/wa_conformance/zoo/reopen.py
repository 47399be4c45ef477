"""Specimens that are sound until they are opened again: what is loaded is not what was written."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from wa_core.storage import OrderedIndex, PositionClock
from wa_core.storage.position import wall_clock_us

from wa_conformance.zoo.log import Log, Row
from wa_conformance.zoo.persistent import LogSpecimen


class ForgetfulLog(Log):
    """Takes what an earlier opener wrote for something else: `remembered` says for what."""

    opening = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.opening = False
        self.opened()

    def remembered(self, row: Row) -> Row:
        """Return the row as it is taken while opening."""
        return row

    def opened(self) -> None:
        """Spoil what was loaded."""

    def replay(self, rows: Sequence[Row], offset: int) -> None:
        """Take over rows, while opening those that are remembered."""
        taken = [self.remembered(tuple(row)) for row in rows] if self.opening else rows
        super().replay(taken, offset)


class IndexlessLog(ForgetfulLog):
    """Loads no index."""

    def opened(self) -> None:
        """Forget the index."""
        self.index = OrderedIndex()


class LosesIndexOnReopen(LogSpecimen):
    """Reads its records when opened again, but lists none: a crash between SET and ZADD."""

    breaks = "W2"
    log_type = IndexlessLog


class ArrivalLog(ForgetfulLog):
    """Loads records in the order of their names."""

    def opened(self) -> None:
        """Give everything a position of now."""
        now = time.time_ns() // 1000
        for place, key in enumerate(sorted(self.places)):
            self.index.put(key, now + place)


class LosesPositionsOnReopen(LogSpecimen):
    """Takes the moment of loading for the position of each record: a copied folder's times."""

    breaks = "O1"
    log_type = ArrivalLog


class ImplicitPositionsLog(ForgetfulLog):
    """Believes only in positions that the engine gave."""

    def remembered(self, row: Row) -> Row:
        """Replace explicit positions."""
        if row[0] == "put" and not row[3]:
            return (*row[:2], wall_clock_us(), *row[3:])
        return row


class LosesExplicitPositionsOnReopen(LogSpecimen):
    """Keeps explicit positions in memory only."""

    breaks = "O1"
    log_type = ImplicitPositionsLog


class HurriedClock(PositionClock):
    """Gives a position a second after the last one: a logical clock ahead of the wall."""

    def next(self) -> int:
        """Give the next position."""
        self.last = max(wall_clock_us(), self.last) + 1_000_000
        return self.last


class RestartingLog(ForgetfulLog):
    """Begins a new clock with every opening."""

    def opened(self) -> None:
        """Forget what was given."""
        self.clock = HurriedClock()


class PositionsRestartOnReopen(LogSpecimen):
    """Gives positions ahead of the clock, and begins again at the clock when it is opened."""

    breaks = "O1"
    log_type = RestartingLog


class NewestLeftLog(ForgetfulLog):
    """Counts on from the highest position that is left."""

    def opened(self) -> None:
        """Derive the clock from the records."""
        newest = self.index.page("", 0, 1)
        self.clock = HurriedClock(last=self.index.position(newest[0]) or 0 if newest else 0)


class PositionsFollowWhatIsLeft(LogSpecimen):
    """Derives its clock from the records that are left: deleted ones are counted out."""

    breaks = "O1"
    log_type = NewestLeftLog


class ShallowDeletesLog(ForgetfulLog):
    """Replays the delete of a large tree as the delete of one key."""

    def replay(self, rows: Sequence[Row], offset: int) -> None:
        """Spare the children while opening."""
        spared: dict[str, tuple[int, object]] = {}
        if self.opening:
            for kind, *row in rows:
                if kind == "delete" and self.index.count(f"{row[0]}/") > 2:
                    for key in self.index.keys(f"{row[0]}/"):
                        spared[key] = (self.index.position(key) or 0, self.places[key])
        super().replay(rows, offset)
        for key, (at, place) in spared.items():
            if key not in self.places:
                self.index.put(key, at)
                self.places[key] = place  # type: ignore[assignment]


class ForgetsDeletesOnReopen(LogSpecimen):
    """Shows the children of a deleted key again: the log knows the root of a cascade only."""

    breaks = "C3"
    log_type = ShallowDeletesLog


class DustingLog(ForgetfulLog):
    """Takes empty records for the remains of a crash."""

    def opened(self) -> None:
        """Sweep empty records out."""
        for key in [key for key, place in self.places.items() if place.size == 1]:
            self.forget(key)


class ForgetsEmptyOnReopen(LogSpecimen):
    """Sweeps empty records out when it is opened: an empty file must be a torn one."""

    breaks = "W2"
    log_type = DustingLog


class LeaflessLog(ForgetfulLog):
    """Loads leaves only."""

    def opened(self) -> None:
        """Drop the values of keys that have children."""
        for key in [key for key in self.places if self.index.has_below(key)]:
            self.forget(key)


class ForgetsParentsOnReopen(LogSpecimen):
    """Loads folders as folders, without the value that one of them holds as well."""

    breaks = "W2"
    log_type = LeaflessLog


class LowercaseLog(ForgetfulLog):
    """Loads names from a folder that folds case."""

    def remembered(self, row: Row) -> Row:
        """Fold the key."""
        return (row[0], row[1].lower(), *row[2:]) if row[0] == "put" else row


class FoldsCaseOnReopen(LogSpecimen):
    """Tells `A` from `a` until it is opened again: the names on disk are folded."""

    breaks = "W2"
    log_type = LowercaseLog


class LeaselessLog(ForgetfulLog):
    """Loads no lease."""

    def remembered(self, row: Row) -> Row:
        """Skip leases."""
        return ("nothing",) if row[0] == "lease" else row


class EpochResetsOnReopen(LogSpecimen):
    """Keeps leases in memory, so that epochs begin again at 1: a late writer fits again."""

    breaks = "L1"
    log_type = LeaselessLog


class FreeLeaseLog(ForgetfulLog):
    """Loads epochs, but not who holds them."""

    def remembered(self, row: Row) -> Row:
        """End the lease."""
        return (*row[:3], 0.0) if row[0] == "lease" else row


class ReopenEndsLease(LogSpecimen):
    """Takes every lease for over when it is opened: its holder was another process."""

    breaks = "L1"
    log_type = FreeLeaseLog


class LazyClear(LogSpecimen):
    """Empties a session in memory only: the records come back with the next opening."""

    breaks = "N2"

    async def _clear(self) -> None:
        async with self._writing():
            for key in list(self.log.places):
                self.log.forget(key)


SPECIMENS = (
    LosesIndexOnReopen,
    LosesPositionsOnReopen,
    LosesExplicitPositionsOnReopen,
    PositionsRestartOnReopen,
    PositionsFollowWhatIsLeft,
    ForgetsDeletesOnReopen,
    ForgetsEmptyOnReopen,
    ForgetsParentsOnReopen,
    FoldsCaseOnReopen,
    EpochResetsOnReopen,
    ReopenEndsLease,
    LazyClear,
)
