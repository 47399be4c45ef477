"""Specimens whose bug shows in one place only: at the edges, by URL, by process, by misuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from wa_core.errors import InvalidUrlError
from wa_core.storage import (
    DEFAULT_TIMEOUT_S,
    Delete,
    Durability,
    EngineUrl,
    Lease,
    Operation,
)
from wa_core.storage.lease import check_holder, check_ttl

from wa_conformance.zoo.base import TIMEOUT_S, Specimen
from wa_conformance.zoo.cascade import Cascading
from wa_conformance.zoo.log import Log, Row
from wa_conformance.zoo.persistent import SHARED, LogSpecimen, OneWriter
from wa_conformance.zoo.reopen import ForgetfulLog
from wa_conformance.zoo.urls import UrlEngine, UrlSpecimen


class SlowDeleteAtRoot(Cascading):
    """Looks at every key of the store to delete one without a folder."""

    breaks = "C4"

    def _doomed(self, key: str) -> list[str]:
        if "/" in key:
            return self.store.index.under(key)
        return [k for k in self.store.index.keys("") if k == key or k.startswith(f"{key}/")]


class LeaseForNobody(Specimen):
    """Gives a lease to a holder without a name."""

    breaks = "F2"

    async def acquire(self, holder: str, ttl: float) -> Lease:
        """Find a name for everybody."""
        return await super().acquire(holder or "somebody", ttl)


class NumbersAreText(Specimen):
    """Writes the digits of a number that is no value."""

    breaks = "F2"

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Write whatever can be printed."""
        if isinstance(value, int | float):
            value = str(value)
        await super().set(key, value, at=at)


class LongPathLeaks(Specimen):
    """Lets ENAMETOOLONG out when a key of 512 bytes is deleted that is not there."""

    breaks = "F2"

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        for each in operations:
            absent = each.key not in self.store.values
            if isinstance(each, Delete) and absent and len(each.key.encode()) > 511:
                raise OSError(36, "File name too long")
        await super()._apply(operations, fence)


class ReaderMayAcquire(LogSpecimen):
    """Gives a lease to an engine that was opened for reading."""

    breaks = "F2"

    async def acquire(self, holder: str, ttl: float) -> Lease:
        """Ask nobody whether this engine may write."""
        epoch = await self._in_time(self._acquire(check_holder(holder), check_ttl(ttl)))
        return Lease(self, holder=holder, epoch=epoch, ttl=ttl)


class SweepingLog(ForgetfulLog):
    """Sweeps out what it cannot read."""

    def opened(self) -> None:
        """Read everything once."""
        for key in list(self.places):
            if not self.is_sound(key):
                self.forget(key)


class SweepsDamagedOnReopen(LogSpecimen):
    """Drops damaged records when it is opened: a repair that nobody asked for."""

    breaks = "G2"
    log_type = SweepingLog


class SpellingLog(ForgetfulLog):
    """Reads names as an older version spelled them."""

    def remembered(self, row: Row) -> Row:
        """Spell the key anew."""
        if row[0] == "put" and row[1].count("/") > 1:
            return (row[0], row[1].replace("@", "_at_"), *row[2:])
        return row


class AtSignLostOnReopen(LogSpecimen):
    """Finds `_at_` where `@` was written deep in a tree, once it is opened again."""

    breaks = "D1"
    log_type = SpellingLog


class OddLog(ForgetfulLog):
    """Loads the greatest positions one too low."""

    def remembered(self, row: Row) -> Row:
        """Round what a double would, one bit too early."""
        if row[0] == "put" and row[2] >= 2**52:
            return (*row[:2], row[2] & ~1, *row[3:])
        return row


class HugePositionsRoundedOnReopen(LogSpecimen):
    """Rounds the greatest positions when it is opened again."""

    breaks = "O1"
    log_type = OddLog


class SmallBatchLog(ForgetfulLog):
    """Replays the deletes of large batches only."""

    def replay(self, rows: Sequence[Row], offset: int) -> None:
        """Skip deletes that stand between a few puts."""
        kinds = {row[0] for row in rows}
        if self.opening and len(rows) < 10 and kinds == {"put", "delete"}:
            rows = [row if row[0] == "put" else ("nothing",) for row in rows]
        super().replay(rows, offset)


class ForgetsDeletesInBatches(LogSpecimen):
    """Shows again what a small batch deleted beside its puts, once it is opened again."""

    breaks = "W2"
    log_type = SmallBatchLog


class HomeLog(Log):
    """Looks for news when somebody in this process has written."""

    _news: ClassVar[dict[str, int]] = {}
    _seen = -1

    def append(self, rows: Sequence[Row], values: bytes = b"") -> None:
        """Add one record, and tell the others of this process."""
        self._news[str(self.folder)] = self._news.get(str(self.folder), 0) + 1
        super().append(rows, values)

    def catch_up(self) -> None:
        """Read on when there is news."""
        news = self._news.get(str(self.folder), 0)
        if news != self._seen:
            super().catch_up()
        self._seen = news


class ReaderHearsOwnProcess(OneWriter):
    """Tells its readers of new records by an event of the process: others hear nothing."""

    breaks = "W5"
    log_type = HomeLog


class VolatileGivesPower(UrlSpecimen):
    """Gives `power` to who asks for `volatile`: it cannot hurt, it thinks."""

    breaks = "D1"

    def level(self, url: EngineUrl) -> Durability:
        """Give more than was asked for."""
        level = super().level(url)
        return Durability.POWER if level is Durability.VOLATILE else level


class UnknownDurabilityIgnored(UrlSpecimen):
    """Takes a level that does not exist for none."""

    breaks = "D1"

    def level(self, url: EngineUrl) -> Durability:
        """Fall back."""
        try:
            return super().level(url)
        except InvalidUrlError:
            return Durability.POWER


class UnclaimedPowerAccepted(UrlSpecimen):
    """Claims nothing about durability, and takes `?durability=power` without a word."""

    breaks = "D1"

    def engine(self, url: EngineUrl, folder: str, *, read_only: bool) -> UrlEngine:
        """Make an engine that promises nothing."""
        return Unpromising(folder, read_only=read_only, timeout=url.timeout or TIMEOUT_S)


class Unpromising(UrlEngine):
    """Is volatile, as far as anybody is told."""

    promises = replace(SHARED, durability=Durability.VOLATILE, claims=SHARED.claims - {"D1", "D2"})

    def promise(self, durability: Durability) -> None:
        """Promise nothing."""


class BadTimeoutIgnored(UrlSpecimen):
    """Takes a timeout that is no number for the default."""

    breaks = "U2"

    def engine(self, url: EngineUrl, folder: str, *, read_only: bool) -> UrlEngine:
        """Fall back."""
        try:
            return super().engine(url, folder, read_only=read_only)
        except InvalidUrlError:
            return UrlEngine(folder, read_only=read_only, timeout=DEFAULT_TIMEOUT_S)


SPECIMENS = (
    SlowDeleteAtRoot,
    LeaseForNobody,
    NumbersAreText,
    LongPathLeaks,
    ReaderMayAcquire,
    SweepsDamagedOnReopen,
    AtSignLostOnReopen,
    HugePositionsRoundedOnReopen,
    ForgetsDeletesInBatches,
    ReaderHearsOwnProcess,
)

BY_URL: tuple[type[UrlSpecimen], ...] = (
    VolatileGivesPower,
    UnknownDurabilityIgnored,
    UnclaimedPowerAccepted,
    BadTimeoutIgnored,
)
