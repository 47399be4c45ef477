"""Specimens of chapter O, first half: positions and the order that follows from them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import ClassVar

from wa_core.storage import Lease, Operation, PositionClock, Put
from wa_core.storage.position import wall_clock_us

from wa_conformance.zoo.base import Specimen


class OwnPositions(Specimen):
    """Gives the positions of `position`, instead of the store's clock's."""

    def position(self, operation: Put) -> int | None:
        """Return the position of a write; None leaves it to the clock."""
        raise NotImplementedError

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        placed = [
            replace(each, at=self.position(each)) if isinstance(each, Put) else each
            for each in operations
        ]
        await super()._apply(placed, fence)


class MillisecondPositions(OwnPositions):
    """Counts milliseconds, so that a burst shares one position: the Memory example, SQLite v8."""

    breaks = "O1"

    def position(self, operation: Put) -> int | None:
        """Round the clock down."""
        return wall_clock_us() // 1000 * 1000 if operation.at is None else operation.at


class BatchSharesPosition(Specimen):
    """Gives all puts of a batch one position: `now()` inside one transaction."""

    breaks = "O1"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        now = self.store.clock.next()
        placed = [
            replace(each, at=now) if isinstance(each, Put) and each.at is None else each
            for each in operations
        ]
        await super()._apply(placed, fence)


class IgnoresAt(OwnPositions):
    """Positions by the moment of writing alone: modification times, re-sync destroys chronology."""

    breaks = "O1"

    def position(self, operation: Put) -> int | None:
        """Forget what was asked for."""
        return None


class AtInMilliseconds(OwnPositions):
    """Keeps explicit positions in whole milliseconds: a JavaScript date."""

    breaks = "O1"

    def position(self, operation: Put) -> int | None:
        """Round what was asked for."""
        return None if operation.at is None else operation.at // 1000 * 1000


class AtAsFloat(OwnPositions):
    """Keeps explicit positions as seconds in 32-bit floats."""

    breaks = "O1"

    def position(self, operation: Put) -> int | None:
        """Lose the digits that do not fit."""
        if operation.at is None:
            return None
        (rounded,) = struct.unpack("f", struct.pack("f", operation.at))
        return int(rounded)


class AtCappedAtNow(OwnPositions):
    """Does not believe in the future: a later `at` becomes the present."""

    breaks = "O1"

    def position(self, operation: Put) -> int | None:
        """Bring the future back."""
        return None if operation.at is None else min(operation.at, wall_clock_us())


class AtZeroIsNow(OwnPositions):
    """Tests `if at`, so position 0 becomes the present."""

    breaks = "O1"

    def position(self, operation: Put) -> int | None:
        """Take nothing for none."""
        return operation.at or None


class AtLosesGreatest(OwnPositions):
    """Adds one to a position and overflows: 2**53 - 1 reads as 0."""

    breaks = "O1"

    def position(self, operation: Put) -> int | None:
        """Wrap around at the end."""
        return None if operation.at is None else operation.at % (2**53 - 1)


class CountsWrites(OwnPositions):
    """Gives 1, 2, 3 as positions: a sequence, far behind the clock."""

    breaks = "O1"
    _sequence = PositionClock(now=lambda: 0)

    def position(self, operation: Put) -> int | None:
        """Take the next number."""
        return self._sequence.next() if operation.at is None else operation.at


class PositionsPerObject(OwnPositions):
    """Keeps the last position in the object: two clients give one position twice."""

    breaks = "O1"

    def _begin(self) -> None:
        begun = wall_clock_us()
        self._clock = PositionClock(last=begun + 10_000_000, now=lambda: 0)

    def position(self, operation: Put) -> int | None:
        """Count on from the moment of opening."""
        return self._clock.next() if operation.at is None else operation.at


class PositionsFollowTheNewest(OwnPositions):
    """Gives one more than the highest position that is left: deleting it gives it again."""

    breaks = "O1"

    def position(self, operation: Put) -> int | None:
        """Look at what is there instead of what was given."""
        if operation.at is not None:
            return operation.at
        newest = self.store.index.page("", 0, 1)
        last = self.store.index.position(newest[0]) if newest else None
        return wall_clock_us() // 10**9 * 10**9 + 10**9 if last is None else last + 1


class ClockBackGoesBack(OwnPositions):
    """Believes the clock each time, also when it steps back."""

    breaks = "O1"
    _given: ClassVar[int] = 0

    def position(self, operation: Put) -> int | None:
        """Give the clock's time, without a look at what was given before."""
        if operation.at is not None:
            return operation.at
        ClockBackGoesBack._given += 1
        return wall_clock_us() + ClockBackGoesBack._given % 3


class OwnOrder(Specimen):
    """Lists in the order of `ordered`, whatever that is."""

    def ordered(self, keys: list[str]) -> list[str]:
        """Put the keys of a prefix, right order given, into the wrong one."""
        raise NotImplementedError

    def at(self, key: str) -> int:
        """Return the position of a key that is there."""
        return self.store.index.position(key) or 0

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        keys = self.ordered(await super()._list(prefix, 0, None))
        return keys[offset : None if limit is None else offset + limit]


class OldestFirst(OwnOrder):
    """Lists the oldest first."""

    breaks = "O2"

    def ordered(self, keys: list[str]) -> list[str]:
        """Sort the other way round."""
        return sorted(keys, key=lambda key: (self.at(key), key))


class ListsByKey(OwnOrder):
    """Lists in the order of the keys: `readdir`, or a primary key."""

    breaks = "O2"

    def ordered(self, keys: list[str]) -> list[str]:
        """Sort by name."""
        return sorted(keys)


class ListsInHashOrder(OwnOrder):
    """Lists in no order at all: Redis SCAN, RedisEngine v2.2."""

    breaks = "O2"

    def ordered(self, keys: list[str]) -> list[str]:
        """Sort by hash."""
        return sorted(keys, key=lambda key: sha256(key.encode()).digest())


class TiesByArrival(OwnOrder):
    """Leaves equal positions in the order in which they came."""

    breaks = "O2"

    def ordered(self, keys: list[str]) -> list[str]:
        """Sort by position alone."""
        arrived = {key: n for n, key in enumerate(self.store.values)}
        return sorted(keys, key=lambda key: (-self.at(key), arrived[key]))


class TiesByKeyDescending(OwnOrder):
    """Turns ties round as well: ZREVRANGE orders equal scores by name, descending."""

    breaks = "O2"

    def ordered(self, keys: list[str]) -> list[str]:
        """Sort both parts downwards."""
        return sorted(keys, key=lambda key: (self.at(key), key), reverse=True)


class TiesByUtf16(OwnOrder):
    """Orders ties by UTF-16 units, as JavaScript does: emoji before the last of the first plane."""

    breaks = "O2"

    def ordered(self, keys: list[str]) -> list[str]:
        """Sort by what JavaScript compares."""
        return sorted(keys, key=lambda key: (-self.at(key), key.encode("utf-16-be")))


class TiesIgnoreCase(OwnOrder):
    """Orders ties by a collation: `a`, `B`, `c`."""

    breaks = "O2"

    def ordered(self, keys: list[str]) -> list[str]:
        """Sort as a dictionary would."""
        return sorted(keys, key=lambda key: (-self.at(key), key.casefold(), key))


class TiesBySegments(OwnOrder):
    """Orders ties folder by folder, so that `a/b` stands before `a-b`."""

    breaks = "O2"

    def ordered(self, keys: list[str]) -> list[str]:
        """Sort by the parts of the path."""
        return sorted(keys, key=lambda key: (-self.at(key), key.split("/")))


class OrdersByMilliseconds(OwnOrder):
    """Compares positions in milliseconds and lists a burst by name."""

    breaks = "O2"

    def ordered(self, keys: list[str]) -> list[str]:
        """Sort by less than is known."""
        return sorted(keys, key=lambda key: (-(self.at(key) // 1000), key))


class RewriteKeepsPlace(OwnPositions):
    """Leaves a rewritten record where it was: `created_at`."""

    breaks = "O3"

    def position(self, operation: Put) -> int | None:
        """Ask the record that is there first."""
        old = self.store.index.position(operation.key)
        return operation.at if old is None else old


class RewriteKeepsExplicitPlace(OwnPositions):
    """Moves a rewritten record only when a position is given."""

    breaks = "O3"

    def position(self, operation: Put) -> int | None:
        """Fall back to the old position."""
        if operation.at is None:
            return self.store.index.position(operation.key)
        return operation.at


class RewriteOnlyMovesUp(OwnPositions):
    """Moves a record to a higher position, never to a lower one: ZADD GT."""

    breaks = "O3"

    def position(self, operation: Put) -> int | None:
        """Keep the greater of two."""
        old = self.store.index.position(operation.key)
        if operation.at is None or old is None:
            return operation.at
        return max(operation.at, old)


class SameValueIsNoWrite(OwnPositions):
    """Skips a write whose value is there already, and the move with it."""

    breaks = "O3"

    def position(self, operation: Put) -> int | None:
        """Stay, if nothing changed."""
        if self.store.values.get(operation.key) == operation.value:
            return self.store.index.position(operation.key)
        return operation.at


SPECIMENS = (
    MillisecondPositions,
    BatchSharesPosition,
    IgnoresAt,
    AtInMilliseconds,
    AtAsFloat,
    AtCappedAtNow,
    AtZeroIsNow,
    AtLosesGreatest,
    CountsWrites,
    PositionsPerObject,
    PositionsFollowTheNewest,
    ClockBackGoesBack,
    OldestFirst,
    ListsByKey,
    ListsInHashOrder,
    TiesByArrival,
    TiesByKeyDescending,
    TiesByUtf16,
    TiesIgnoreCase,
    TiesBySegments,
    OrdersByMilliseconds,
    RewriteKeepsPlace,
    RewriteKeepsExplicitPlace,
    RewriteOnlyMovesUp,
    SameValueIsNoWrite,
)
