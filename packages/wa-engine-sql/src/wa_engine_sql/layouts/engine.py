"""An engine over the tables of another tool.

The idea: a key is a row, by the layout's spelling; what it does not spell is refused before
anything is written. Pages and cascades look through the names of the session, which has thousands
of them, not millions.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from wa_core.errors import CorruptRecordError, UnsupportedError, masked
from wa_core.storage import Capabilities, Engine, Entry, Lease, Operation, PositionClock
from wa_core.storage.layouts import SESSION, json_flaw, record_of

from wa_engine_sql.change import Record, change_of
from wa_engine_sql.faults import driver_errors
from wa_engine_sql.layouts.cells import Kind, meaning_of
from wa_engine_sql.layouts.hand import Hand
from wa_engine_sql.layouts.rows import Found, New, Rows
from wa_engine_sql.layouts.spellings import Address, Layout, Names, held
from wa_engine_sql.layouts.tables import check_whole, found, make
from wa_engine_sql.layouts.turns import Turns
from wa_engine_sql.place import Share

SCAN_CHUNK = 64


class LayoutEngine(Engine):
    """One session in somebody else's tables."""

    def __init__(
        self,
        layout: Layout,
        session: str,
        tables: Sequence[Rows],
        capabilities: Capabilities,
        *,
        turns: Turns,
        share: Share,
        timeout: float,
    ) -> None:
        super().__init__(capabilities, timeout=timeout)
        self._layout = layout
        self._session = session
        self._tables = list(tables)
        self._turns = turns
        self._share = share

    def holds(self, key: str) -> bool:
        """Tell whether this layout has a place for a key."""
        return self._address(key) is not None

    def check_value(self, key: str, value: bytes) -> None:
        """Raise for a key that has no place here, and for a value that its column cannot have."""
        address = self._address(key)
        if address is None:
            raise UnsupportedError(f"a place for {masked(key)!r} in these tables")
        self._tables[address[0]].stand.value.put_value(value)
        if (flaw := _flaw(key, value)) is not None:
            raise UnsupportedError(f"this value of {masked(key)!r} in these tables: {flaw}")

    def canonical(self, key: str, value: bytes) -> bytes:
        """Return what two values have in common that this layout cannot tell apart.

        The value itself, but for a column that parses its JSON: there the same members, sorted.
        """
        address = self._address(key)
        if address is None or self._tables[address[0]].stand.value.kind is not Kind.PARSED:
            return value
        return meaning_of(value)

    def _address(self, key: str) -> Address | None:
        address = held(self._layout, key)
        if address is None:
            return None
        cells = self._tables[address[0]].stand.names
        fits = all(cell.holds(name) for cell, name in zip(cells, address[1], strict=True))
        return address if fits else None

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return await self._turns.read(lambda hand: self._read(hand, keys))

    async def _read(self, hand: Hand, keys: Sequence[str]) -> dict[str, bytes]:
        await self._look_again(hand)
        values: dict[str, bytes] = {}
        for number, wanted in self._placed(keys).items():
            if not self._tables[number].stand.is_there:
                continue
            for row in await self._tables[number].read(hand, wanted):
                key = self._key(number, row.names)
                if key in values:
                    raise CorruptRecordError(key, "the table holds it twice")
                values[key] = proven(key, row)
        return values

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        if fence is not None:
            raise UnsupportedError("fenced writes")
        change = change_of(operations)
        for put in change.puts:
            self.check_value(put.key.decode(), put.value)
        if change.puts:
            await self._make_tables()
        deletes = [key.decode() for key in change.deletes]

        async def work(hand: Hand) -> None:
            await self._look_again(hand)
            await self._delete(hand, deletes)
            await self._put(hand, change.puts)

        await self._turns.write(work)

    async def _delete(self, hand: Hand, keys: Sequence[str]) -> None:
        leaves = [key for key in keys if record_of(key) is not None]
        gone = self._placed(leaves)
        trees = [key for key in keys if record_of(key) is None]
        if trees:
            for key, number, names, _ in await self._all(hand):
                if any(key == tree or key.startswith(f"{tree}/") for tree in trees):
                    gone.setdefault(number, []).append(names)
        for number, wanted in gone.items():
            if self._tables[number].stand.is_there:
                await self._tables[number].remove(hand, wanted)

    async def _put(self, hand: Hand, puts: Sequence[Record]) -> None:
        newest = 0
        for rows in self._tables if self._layout.is_dated and puts else ():
            newest = max(newest, await rows.newest(hand))
        clock = PositionClock(last=newest)
        new: dict[int, list[New]] = {}
        for put in puts:
            address = self._address(put.key.decode())
            assert address is not None, "checked before"
            value = self._tables[address[0]].stand.value.put_value(put.value)
            given = put.at is not None and self._layout.is_dated
            position = put.at if given and put.at is not None else clock.next()
            new.setdefault(address[0], []).append(New(address[1], value, position))
        for number, some in new.items():
            await self._tables[number].write(hand, some)

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        rows = await self._turns.read(self._all)
        order = sorted((-self._position(at), key) for key, _, _, at in rows)
        keys = [key for _, key in order if key.startswith(prefix)]
        return keys[offset:] if limit is None else keys[offset:][:limit]

    async def _count(self, prefix: str) -> int:
        rows = await self._turns.read(self._all)
        return sum(key.startswith(prefix) for key, *_ in rows)

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        for number in range(len(self._tables)):
            after: Names | None = None
            while True:
                rows, after = await self._chunk(number, after)
                for row in rows:
                    key = self._key(number, row.names)
                    if key.startswith(prefix):
                        yield Entry(key, proven(key, row), self._position(row.position))
                if after is None:
                    break

    async def _chunk(self, number: int, after: Names | None) -> tuple[list[Found], Names | None]:
        async def work(hand: Hand) -> tuple[list[Found], Names | None]:
            await self._look_again(hand)
            if not self._tables[number].stand.is_there:
                return [], None
            return await self._tables[number].chunk(hand, after, SCAN_CHUNK)

        return await self._turns.read(work)

    async def _all(self, hand: Hand) -> list[tuple[str, int, Names, int | None]]:
        """Name every row of the session: its key, its table, its names there, its position."""
        await self._look_again(hand)
        return [
            (self._key(number, names), number, names, position)
            for number, rows in enumerate(self._tables)
            if rows.stand.is_there
            for names, position in await rows.names(hand)
        ]

    async def _clear(self) -> None:
        async def work(hand: Hand) -> None:
            await self._look_again(hand)
            for rows in self._tables:
                if rows.stand.is_there:
                    await rows.clear(hand)

        await self._turns.write(work)

    async def _close(self) -> None:
        with driver_errors(self._share.place.dialect.meaning):
            await self._share.leave()

    async def _look_again(self, hand: Hand) -> None:
        """Look for the tables that were not there when they were last looked for."""
        for number, rows in enumerate(self._tables):
            if not rows.stand.is_there:
                dated = self._layout.is_dated
                stand = await hand.run_sync(found, rows.stand.shelf, is_dated=dated)
                self._tables[number] = Rows(stand, self._session)

    async def _make_tables(self) -> None:
        if all(rows.stand.is_there for rows in self._tables):
            return

        async def work(hand: Hand) -> None:
            await self._look_again(hand)
            for rows in self._tables:
                if not rows.stand.is_there:
                    shelf = rows.stand.shelf
                    await hand.run_sync(make, shelf, is_dated=self._layout.is_dated)
                    await hand.run_sync(check_whole, shelf)

        await self._turns.write(work)

    def _placed(self, keys: Sequence[str]) -> dict[int, list[Names]]:
        """Sort keys by their tables; what the layout does not hold lies nowhere."""
        placed: dict[int, list[Names]] = {}
        for key in keys:
            if (address := self._address(key)) is not None:
                placed.setdefault(address[0], []).append(address[1])
        return placed

    def _key(self, number: int, names: Names) -> str:
        key = self._layout.key((number, names))
        if key is None:
            table = self._tables[number].stand.shelf.table
            reason = "it is the name of no record, or of several: ?kinds= tells them apart"
            raise CorruptRecordError(f"{table}: {'/'.join(names)}", reason)
        return key

    def _position(self, found: int | None) -> int:
        if not self._layout.is_dated:
            return 0
        if found is None:
            raise CorruptRecordError(self._layout.shelves[0].table, "a position in it is none")
        return found


def proven(key: str, row: Found) -> bytes:
    """Return the value of a row if it is one, or raise [G2]."""
    if row.value is None:
        raise CorruptRecordError(key, "its row holds no value")
    if (flaw := _flaw(key, row.value)) is not None:
        raise CorruptRecordError(key, flaw)
    return row.value


def _flaw(key: str, value: bytes) -> str | None:
    """Say why the other tool could not read a value: what is below session/ is JSON."""
    return json_flaw(value) if key.startswith(SESSION) else None
