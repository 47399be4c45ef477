"""A session's turn to write in MariaDB and MySQL: one transaction, mostly two messages.

The idea: the first message locks the row of the session, so that writers take turns, and a message
that the network delays finds its transaction gone. The second carries the deletes, the records,
the look at the lease and the commit. Only large values travel alone. Who knows the number of the
last turn, because it was his, says all that in one message (`mysql_quick.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from asyncmy import errors
from wa_core.errors import FencedError, LeaseHeldError, StoreVersionError
from wa_core.storage import MAX_POSITION

from wa_engine_sql.change import Change, Record
from wa_engine_sql.dialect import FORMAT
from wa_engine_sql.folders import below, deep_hashes, is_deep
from wa_engine_sql.mysql_text import MESSAGE, NOW, Wording, ask, literal

ALONE = MESSAGE // 2
"""From this size on a value is sent by itself and as it is: its digits might not fit a message."""
_COLUMNS = "(session, `key`, npos, crc, h1, h2, h3, h4, value)"
TWO_ROWS = 1242
"""The error of a statement that finds two rows where one may be: our way to stop a message."""


@dataclass(frozen=True, slots=True, repr=False)
class Placed:
    """A record at its place in the order."""

    record: Record
    npos: int | str
    """A number, or an expression."""

    def values(self, ident: int) -> tuple[Any, ...]:
        """Return its row, but for the value."""
        record = self.record
        hashes = (number or 0 for number in record.hashes)
        return (ident, literal(record.key), self.npos, record.crc, *hashes)

    def literal(self, ident: int) -> str:
        """Write its row."""
        numbers = ",".join(map(str, self.values(ident)))
        return f"({numbers},{literal(self.record.value)})"


@dataclass(frozen=True, slots=True)
class Turn:
    """A session whose row is locked, in a transaction that has just begun."""

    db: Any
    wording: Wording
    ident: int
    clock: int
    now: int
    deep: bool
    number: int
    """Which turn of the session it is."""

    async def write(self, change: Change, epoch: int | None) -> None:
        """Make a change and commit it; with an epoch, only while its lease is current [L3]."""
        placed, last = _placed(change.puts, self.clock, self.now)
        deep = int(self.deep or bool(change.deep))
        sending: list[str] = []
        for step in self.steps(change, placed):
            if sending and (isinstance(step, Placed) or _size(sending) + len(step) > MESSAGE):
                await ask(self.db, *sending)
                sending = []
            if isinstance(step, Placed):
                await self._send_alone(step)
            else:
                sending.append(step)
        sending.append(
            f"UPDATE wa_sessions SET turn = {self.number}, clock = {last}, deep = {deep} "
            f"WHERE id = {self.ident}"
        )
        await self._end(sending, epoch)

    async def clear(self) -> None:
        """Remove all records; clock and epoch stay, for positions and epochs are given once."""
        await self._end(
            [
                *(
                    _delete(table, index, f"t.session = {self.ident}")
                    for table, index in (("wa_records", "wa_key"), ("wa_deep", "wa_deep_key"))
                ),
                f"UPDATE wa_sessions SET turn = {self.number} WHERE id = {self.ident}",
            ],
            None,
        )

    async def acquire(self, holder: str, ttl: float) -> int:
        """Take the lease and return its epoch."""
        ident = self.ident
        answers = await ask(
            self.db,
            f"UPDATE wa_sessions SET epoch = epoch + 1, holder = {literal(holder.encode())}, "
            f"expires = {NOW} + {round(ttl * 1e6)} WHERE id = {ident} AND expires <= {NOW}",
            f"SELECT ROW_COUNT(), epoch, holder, expires - {NOW} "
            f"FROM wa_sessions WHERE id = {ident}",
            *self._commit(),
        )
        taken, epoch, held_by, left = answers[1][0]
        if taken != 1:
            raise LeaseHeldError(held_by.decode(), max(left, 0) / 1e6)
        return int(epoch)

    async def renew(self, epoch: int, ttl: float) -> None:
        """Prolong the lease, or raise `FencedError`."""
        update = (
            f"UPDATE wa_sessions SET expires = {NOW} + {round(ttl * 1e6)} WHERE id = {self.ident}"
        )
        await self._end([], epoch, update)

    async def release(self, epoch: int) -> None:
        """End the lease if it is the last one given."""
        await self._end(
            [f"UPDATE wa_sessions SET expires = 0 WHERE id = {self.ident} AND epoch = {epoch}"],
            None,
        )

    async def _end(self, statements: list[str], epoch: int | None, *more: str) -> None:
        if epoch is not None:
            current = (
                f"SELECT COUNT(*) FROM wa_sessions WHERE id = {self.ident} "
                f"AND epoch = {epoch} AND expires > {NOW}"
            )
            statements = [*statements, stop_unless(f"({current}) = 1")]
        try:
            await ask(self.db, *statements, *more, *self._commit())
        except errors.DatabaseError as exc:
            if epoch is None or exc.args[0] != TWO_ROWS:
                raise
            raise FencedError(epoch) from None

    def _commit(self) -> tuple[str, ...]:
        return ("COMMIT", *self.wording.after)

    def steps(self, change: Change, placed: Sequence[Placed]) -> Iterator[str | Placed]:
        """Yield statements, and the records that travel alone."""
        trees = [("wa_records", "wa_key"), *([("wa_deep", "wa_deep_key")] * self.deep)]
        for key in change.deletes:
            start, end = map(literal, below(key))
            where = (
                f"t.session = {self.ident} AND (t.`key` = {literal(key)} "
                f"OR (t.`key` >= {start} AND t.`key` < {end}))"
            )
            yield from (_delete(table, index, where) for table, index in trees)
        places = iter(placed)
        for some in change.chunks(most=ALONE):
            ours = [next(places) for _ in some]
            if some[0].size > ALONE:
                yield from ours
            else:
                yield self._insert(",".join(one.literal(self.ident) for one in ours))
        yield from self._deep_steps([one for one in placed if is_deep(one.record.key)])

    def _deep_steps(self, placed: Sequence[Placed]) -> Iterator[str]:
        for one in placed:
            key = literal(one.record.key)
            where = f"t.session = {self.ident} AND t.`key` = {key}"
            yield _delete("wa_deep", "wa_deep_key", where)
            numbers = sorted(set(deep_hashes(one.record.key)))
            values = ",".join(f"({self.ident},{number},{one.npos},{key})" for number in numbers)
            yield f"INSERT INTO wa_deep (session, hash, npos, `key`) VALUES {values}"

    def _insert(self, values: str) -> str:
        return f"INSERT INTO wa_records {_COLUMNS} VALUES {values} {self.wording.upsert}"

    async def _send_alone(self, one: Placed) -> None:
        numbers = ",".join(map(str, one.values(self.ident)))
        statement = await self.db.prepare(self._insert(f"({numbers},?)"))
        await statement.execute((one.record.value,))
        await statement.close()


async def begin(db: Any, session: bytes, wording: Wording) -> Turn:
    """Begin a transaction in the session's turn; make the session if need be."""
    lock = (
        f"SELECT id, version, clock, {NOW}, deep, turn FROM wa_sessions "
        f"WHERE name = {literal(session)} FOR UPDATE"
    )
    while not (found := (await ask(db, *wording.before, "START TRANSACTION", lock))[-1]):
        await ask(
            db,
            "ROLLBACK",
            f"INSERT INTO wa_sessions (name, version) VALUES ({literal(session)}, {FORMAT}) "
            "ON DUPLICATE KEY UPDATE id = id",
        )
    ident, version, clock, now, deep, turn = found[0]
    if version > FORMAT:
        raise StoreVersionError(version, FORMAT)
    return Turn(db, wording, ident, clock, now, bool(deep), turn + 1)


def stop_unless(condition: str) -> str:
    """Return a statement that ends the message when a condition does not hold."""
    return f"SELECT IF({condition}, 1, (SELECT 1 UNION ALL SELECT 2))"


def _placed(puts: Sequence[Record], clock: int, now: int) -> tuple[list[Placed], int]:
    """Give positions; return the last one given too."""
    placed = []
    for put in puts:
        if put.at is None:
            clock = min(max(now, clock + 1), MAX_POSITION)
        placed.append(Placed(put, -(clock if put.at is None else put.at)))
    return placed, clock


def _delete(table: str, index: str, where: str) -> str:
    # Only the form for several tables may name an index; any other would wait for other sessions.
    return f"DELETE t FROM {table} t FORCE INDEX ({index}) WHERE {where}"


def _size(statements: Sequence[str]) -> int:
    return sum(map(len, statements))
