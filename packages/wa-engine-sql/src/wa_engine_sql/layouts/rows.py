"""The rows of one session in one table: the statements, and what comes back.

The idea: a statement may use the collation's equality, because that has an index; what counts is
compared byte by byte afterwards, and changed only where it is the same byte by byte [K2, N1].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    delete,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    tuple_,
    update,
)
from wa_core.errors import CorruptRecordError, UnsupportedError

from wa_engine_sql.layouts.cells import text_of, value_of
from wa_engine_sql.layouts.hand import Hand
from wa_engine_sql.layouts.spellings import Names
from wa_engine_sql.layouts.stamps import position_of, stamp_of
from wa_engine_sql.layouts.tables import Stand

AT_ONCE = 5_000
"""Keys that one question names: every database takes as many parameters."""


@dataclass(frozen=True, slots=True, repr=False)
class Found:
    """A row; nothing of its value is believed yet."""

    names: Names
    value: bytes | None
    position: int | None


@dataclass(frozen=True, slots=True, repr=False)
class New:
    """A row to write."""

    names: Names
    value: object
    position: int


class Rows:
    """The rows of a session in one table."""

    def __init__(self, stand: Stand, session: str) -> None:
        self.stand = stand
        self._session = session
        self._owner = {} if stand.owner is None else {"o": stand.owner.put(session)}

    @classmethod
    async def owners(cls, hand: Hand, stand: Stand, alone: str) -> set[str]:
        """Name the sessions with rows in a table; `alone` where the table is one session."""
        owner = stand.owner
        if owner is None:
            asked = select(literal(1)).select_from(stand.clause).limit(1)
            return {alone} if (await hand.execute(asked)).first() else set()
        rows = await hand.execute(select(owner.read).select_from(stand.clause).distinct())
        return {name for (raw,) in rows if (name := text_of(raw)) is not None}

    async def names(self, hand: Hand) -> list[tuple[Names, int | None]]:
        """Name all rows, each with its position."""
        wanted = [cell.read for cell in self._asked]
        asked = select(*wanted).select_from(self.stand.clause).where(self._own)
        rows = (await hand.execute(asked, self._owner)).all()
        return [(names, position_of(rest[0] if rest else None)) for names, rest in self._mine(rows)]

    async def read(self, hand: Hand, wanted: Sequence[Names]) -> list[Found]:
        """Read rows by their names."""
        found: list[Found] = []
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            exactly = set(some)
            asked = self._values.where(self._any_of(some))
            rows = self._found((await hand.execute(asked, self._owner)).all())
            found += [row for row in rows if row.names in exactly]
        return found

    async def chunk(
        self, hand: Hand, after: Names | None, limit: int
    ) -> tuple[list[Found], Names | None]:
        """Read the next rows in the order of the database, and say behind which to go on.

        Rows that the collation takes for equal to the last one come with it, whatever the limit.
        """
        columns = [cell.column for cell in self.stand.names]
        behind = true() if after is None else self._behind(after)
        asked = self._values.where(behind).order_by(*columns).limit(limit)
        raw = (await hand.execute(asked, self._owner)).all()
        rows = self._found(raw)
        if len(raw) < limit or not columns:
            return rows, None
        last = self._split(raw[-1])[1]
        known = {row.names for row in rows}
        twins = (await hand.execute(self._values.where(self._any_of([last])), self._owner)).all()
        return rows + [row for row in self._found(twins) if row.names not in known], last

    async def newest(self, hand: Hand) -> int:
        """Return the greatest position."""
        stamp = self.stand.stamp
        if stamp is None:
            return 0
        asked = select(func.max(stamp.read)).select_from(self.stand.clause).where(self._own)
        return position_of((await hand.execute(asked, self._owner)).scalar()) or 0

    async def write(self, hand: Hand, new: Sequence[New]) -> None:
        """Write rows: those that are there change, the others come."""
        there: set[Names] = set()
        for start in range(0, len(new), AT_ONCE):
            there |= await self._there(hand, [row.names for row in new[start:][:AT_ONCE]])
        stand = self.stand
        values = {stand.value.name: stand.value.written("v")}
        if stand.stamp is not None:
            values[stand.stamp.name] = stand.stamp.bind("s")
        if changed := [self._bound(row) for row in new if row.names in there]:
            one = update(stand.clause).where(self._exactly).values(values)
            await hand.execute(one, changed)
        if come := [self._bound(row) for row in new if row.names not in there]:
            for number, cell in enumerate(stand.names):
                values[cell.name] = cell.bind(f"n{number}")
            if stand.owner is not None:
                values[stand.owner.name] = stand.owner.bind("o")
            await hand.execute(insert(stand.clause).values(values), come)

    async def remove(self, hand: Hand, gone: Iterable[Names]) -> None:
        """Remove rows by their names."""
        if bound := [self._named(names) for names in gone]:
            await hand.execute(delete(self.stand.clause).where(self._exactly), bound)

    async def clear(self, hand: Hand) -> None:
        """Remove all rows."""
        owner = self.stand.owner
        mine = true() if owner is None else owner.equals("o")
        await hand.execute(delete(self.stand.clause).where(mine), self._owner)

    @property
    def _asked(self) -> list[Any]:
        stamp = self.stand.stamp
        return [*self.stand.key_cells, *([] if stamp is None else [stamp])]

    @property
    def _own(self) -> ColumnElement[bool]:
        owner = self.stand.owner
        return true() if owner is None else owner.column == owner.bind("o")

    @property
    def _exactly(self) -> ColumnElement[bool]:
        named = [cell.equals(f"n{number}") for number, cell in enumerate(self.stand.names)]
        owner = self.stand.owner
        return and_(true(), *named, *([] if owner is None else [owner.equals("o")]))

    def _any_of(self, wanted: Sequence[Names]) -> ColumnElement[bool]:
        """Ask for rows by name; those of one kind together, which every database can look up."""
        cells = self.stand.names
        if not cells:
            return true() if wanted else false()
        groups: dict[Names, list[str]] = {}
        for names in wanted:
            groups.setdefault(names[:-1], []).append(names[-1])
        last = cells[-1]
        return or_(
            false(),
            *(
                and_(
                    *(
                        cell.column == cell.put(name)
                        for cell, name in zip(cells[:-1], head, strict=True)
                    ),
                    last.column.in_([last.put(name) for name in tails]),
                )
                for head, tails in groups.items()
            ),
        )

    def _behind(self, after: Names) -> ColumnElement[bool]:
        cells = self.stand.names
        given = [cell.put(name) for cell, name in zip(cells, after, strict=True)]
        if len(cells) == 1:
            return cells[0].column > given[0]
        return tuple_(*(cell.column for cell in cells)) > tuple_(*given)

    @property
    def _values(self) -> Select[Any]:
        wanted = [cell.read for cell in (*self._asked, self.stand.value)]
        return select(*wanted).select_from(self.stand.clause).where(self._own)

    def _found(self, raw: Iterable[Any]) -> list[Found]:
        value = self.stand.value
        return [
            Found(names, value_of(value, rest[-1]), position_of(rest[0] if rest[1:] else None))
            for names, rest in self._mine(raw)
        ]

    def _mine(self, raw: Iterable[Any]) -> Iterator[tuple[Names, Sequence[Any]]]:
        """Split rows into names and the rest, without those of sessions with a similar name."""
        for row in raw:
            owner, names, rest = self._split(row)
            if self.stand.owner is None or owner == self._session:
                yield names, rest

    def _split(self, row: Any) -> tuple[str | None, Names, Sequence[Any]]:
        width = len(self.stand.key_cells)
        keys = [text_of(raw) for raw in row[:width]]
        owner = None if self.stand.owner is None else keys.pop(0)
        names = tuple(name for name in keys if name is not None)
        if len(names) != len(self.stand.names):
            table = self.stand.shelf.table
            raise CorruptRecordError(table, "one of its rows has a name that is no text")
        return owner, names, row[width:]

    async def _there(self, hand: Hand, wanted: Sequence[Names]) -> set[Names]:
        exactly = set(wanted)
        cells = [cell.read for cell in self.stand.key_cells]
        asked = select(*cells).select_from(self.stand.clause).where(self._own)
        rows = (await hand.execute(asked.where(self._any_of(wanted)), self._owner)).all()
        there = {names for names, _ in self._mine(rows)}
        if there - exactly:
            raise UnsupportedError("keys that the collation of this table takes for one")
        return there

    def _named(self, names: Names) -> dict[str, object]:
        cells = self.stand.names
        bound = {f"n{number}": cell.put(names[number]) for number, cell in enumerate(cells)}
        return {**self._owner, **bound}

    def _bound(self, row: New) -> dict[str, object]:
        bound = {**self._named(row.names), "v": row.value}
        if self.stand.stamp is not None:
            bound["s"] = stamp_of(self.stand.stamp, row.position)
        return bound
