"""A table as it was found in the database, and as we make it where there is none.

The idea: what is there is taken as it is. What we make has the types that the tool's own
documentation gives, and where it gives none, those that keep keys and values byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Index,
    MetaData,
    Table,
    TableClause,
    Text,
    inspect,
    table,
    text,
)
from sqlalchemy.dialects.mysql import DATETIME, LONGTEXT, VARCHAR
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.types import TypeEngine
from wa_core.errors import EngineConfigError

from wa_engine_sql.layouts.cells import NAMES, OWNERS, VALUES, Cell, Kind, cell_of, checked
from wa_engine_sql.layouts.spellings import Shelf

_EXACT = "utf8mb4_bin"
_OWNER_WIDTH = 191
_WIDTHS = {1: (576,), 2: (64, 512)}
"""All that MySQL has room for in a key: 767 characters with the owner's."""


@dataclass(frozen=True, slots=True)
class Stand:
    """One table, ready to be used."""

    shelf: Shelf
    clause: TableClause
    owner: Cell | None
    names: tuple[Cell, ...]
    value: Cell
    stamp: Cell | None
    """None where no column says when a row was written."""
    is_there: bool = True

    @property
    def key_cells(self) -> tuple[Cell, ...]:
        """What tells a row from all others of the table."""
        return self.names if self.owner is None else (self.owner, *self.names)


def found(connection: Connection, shelf: Shelf, *, is_dated: bool) -> Stand:
    """Look at a table; one that is missing is described as we would make it."""
    database = connection.dialect.name
    try:
        columns = inspect(connection).get_columns(shelf.table)
    except NoSuchTableError:
        made = _made(shelf, is_dated=is_dated)
        impl = connection.dialect
        types = {one.name: one.type.dialect_impl(impl) for one in made.columns}
        return replace(_stand(shelf, types, database, is_dated=is_dated), is_there=False)
    types = {one["name"]: one["type"] for one in columns}
    return _stand(shelf, types, database, is_dated=is_dated)


def make(connection: Connection, shelf: Shelf, *, is_dated: bool) -> None:
    """Make a table, unless somebody else just did."""
    made = _made(shelf, is_dated=is_dated)
    connection.execute(CreateTable(made, if_not_exists=True))
    if connection.dialect.name != "mysql":
        for index in made.indexes:
            connection.execute(CreateIndex(index, if_not_exists=True))


def check_whole(connection: Connection, shelf: Shelf) -> None:
    """Raise where a batch would not be kept whole: MySQL has tables without transactions."""
    if connection.dialect.name != "mysql":
        return
    asked = text(
        "SELECT engine FROM information_schema.tables "
        "WHERE table_schema = DATABASE() AND table_name = :name"
    )
    engine = connection.execute(asked, {"name": shelf.table}).scalar()
    if engine != "InnoDB":
        fix = f"only InnoDB keeps a batch whole: ALTER TABLE {shelf.table} ENGINE = InnoDB"
        raise EngineConfigError(f"the table {shelf.table} is of {engine}", fix)


def _stand(
    shelf: Shelf, types: dict[str, TypeEngine[Any]], database: str, *, is_dated: bool
) -> Stand:
    def cell(name: str) -> Cell:
        if name not in types:
            fix = "it is another tool's table: check the URL"
            raise EngineConfigError(f"the table {shelf.table} has no column {name}", fix)
        return cell_of(name, types[name], database)

    stamp = cell(shelf.stamp) if is_dated or shelf.stamp in types else None
    if stamp is not None and stamp.kind is not Kind.MOMENT:
        stamp = checked(stamp, frozenset({Kind.MOMENT})) if is_dated else None
    owner = None if shelf.owner is None else checked(cell(shelf.owner), OWNERS)
    names = tuple(checked(cell(name), NAMES) for name in shelf.names)
    value = checked(cell(shelf.value), VALUES)
    used = [one for one in (owner, *names, value, stamp) if one is not None]
    clause = table(shelf.table, *(one.column for one in used))
    return Stand(shelf, clause, owner, names, value, stamp)


def _made(shelf: Shelf, *, is_dated: bool) -> Table:
    columns: list[Column[Any]] = []
    if shelf.owner is not None:
        columns.append(Column(shelf.owner, _name(_OWNER_WIDTH), primary_key=True))
    widths = _WIDTHS.get(len(shelf.names), ())
    for name, width in zip(shelf.names, widths, strict=True):
        columns.append(Column(name, _name(width), primary_key=True))
    value = Text().with_variant(LONGTEXT(collation=_EXACT), "mysql")
    columns.append(Column(shelf.value, value, nullable=False))
    moment = DateTime().with_variant(DATETIME(fsp=6), "mysql")
    columns.append(Column(shelf.stamp, moment, server_default=text("CURRENT_TIMESTAMP")))
    if is_dated:
        columns[-1].server_default = None
        columns[-1].nullable = False
    indexes = [Index(f"idx_{shelf.table}_updated", shelf.stamp)] if is_dated else []
    return Table(shelf.table, MetaData(), *columns, *indexes, mysql_engine="InnoDB")


def _name(width: int) -> TypeEngine[Any]:
    return Text().with_variant(VARCHAR(width, collation=_EXACT), "mysql")
