"""A column of somebody else's table: what it can hold, and how it is written and read.

The idea: a column of text keeps the bytes of a value. A column that parses its JSON (`jsonb`, and
`json` of MySQL) keeps what they mean; there a value comes back without spaces, its members in the
order of the database.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    BindParameter,
    ColumnClause,
    ColumnElement,
    DateTime,
    LargeBinary,
    Text,
    Uuid,
    and_,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import NullType, TypeEngine
from wa_core.errors import EngineConfigError, UnsupportedError
from wa_core.storage.layouts import json_flaw


class Kind(Enum):
    """What a column is made for."""

    TEXT = auto()
    BYTES = auto()
    JSON_TEXT = auto()
    """`json` of PostgreSQL, which keeps the text that it checked."""
    PARSED = auto()
    NUMBER = auto()
    UUID = auto()
    MOMENT = auto()
    OTHER = auto()


NAMES = frozenset({Kind.TEXT, Kind.BYTES})
OWNERS = NAMES | {Kind.NUMBER, Kind.UUID}
VALUES = NAMES | {Kind.JSON_TEXT, Kind.PARSED}
_BY_PYTHON = {str: Kind.TEXT, bytes: Kind.BYTES, int: Kind.NUMBER, UUID: Kind.UUID}
_TYPES: dict[Kind, TypeEngine[Any]] = {
    Kind.BYTES: LargeBinary(),
    Kind.NUMBER: BigInteger(),
    Kind.UUID: Uuid(as_uuid=False),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One column, as it was found."""

    name: str
    kind: Kind
    database: str
    """SQLAlchemy's name of the database."""
    found: TypeEngine[Any]

    @property
    def column(self) -> ColumnClause[Any]:
        """The column in a statement."""
        return column(self.name, _TYPES.get(self.kind, Text()))

    @property
    def read(self) -> ColumnElement[Any]:
        """The column in what is asked for: as the driver gives it, JSON as text."""
        raw = self.column
        if self.kind in (Kind.JSON_TEXT, Kind.PARSED):
            return cast(raw, Text())
        return type_coerce(raw, NullType())

    def bind(self, name: str) -> BindParameter[Any]:
        """A parameter for this column."""
        if self.kind is Kind.MOMENT and self.database != "sqlite":
            return bindparam(name, type_=DateTime(timezone=self.has_zone))
        return bindparam(name, type_=_TYPES.get(self.kind, Text()))

    def written(self, name: str) -> ColumnElement[Any]:
        """The parameter as it is put into the column."""
        if self.kind is Kind.PARSED:
            return cast(self.bind(name), JSONB() if self.database == "postgresql" else JSON())
        if self.kind is Kind.JSON_TEXT:
            return cast(self.bind(name), JSON())
        return self.bind(name)

    def equals(self, name: str) -> ColumnElement[bool]:
        """Compare byte by byte, whatever the collation takes for equal [K2]."""
        given = self.bind(name)
        same = self.column == given
        if self.kind is not Kind.TEXT:
            return same
        if self.database == "sqlite":
            return and_(same, self.column.collate("BINARY") == given)
        if self.database == "mysql":
            as_utf8 = func.convert(self.column.op("USING")(literal_column("utf8mb4")))
            return and_(same, cast(as_utf8, LargeBinary()) == cast(given, LargeBinary()))
        return same

    @property
    def has_zone(self) -> bool:
        """Whether its moments come with a time zone."""
        return bool(getattr(self.found, "timezone", False)) and self.database == "postgresql"

    @property
    def is_fine(self) -> bool:
        """Whether its moments keep microseconds."""
        if self.database == "mysql":
            return getattr(self.found, "fsp", None) == 6
        return getattr(self.found, "precision", None) in (None, 6)

    def holds(self, text: str) -> bool:
        """Tell whether the column takes a text as it is."""
        try:
            data = text.encode()
        except UnicodeEncodeError:
            return False
        limit = getattr(self.found, "length", None) if self.database != "sqlite" else None
        size = len(data) if self.kind is Kind.BYTES else len(text)
        if limit is not None and size > limit:
            return False
        return self.kind is Kind.BYTES or self.database != "postgresql" or "\0" not in text

    def put(self, text: str) -> object:
        """Return what is bound for a text that the column holds."""
        if self.kind is Kind.NUMBER:
            return int(text)
        return text.encode() if self.kind is Kind.BYTES else text

    def put_value(self, value: bytes) -> object:
        """Return what is bound for a value, or refuse what the column cannot give back."""
        if self.kind is Kind.BYTES:
            return value
        try:
            text = value.decode()
        except UnicodeDecodeError:
            raise UnsupportedError("values that are no text") from None
        if not self.holds(text):
            raise UnsupportedError(f"a text like this in the column {self.name}")
        if self.kind in (Kind.JSON_TEXT, Kind.PARSED) and json_flaw(value) is not None:
            raise UnsupportedError(f"a value that is no JSON in the column {self.name}")
        return text


def cell_of(name: str, found: TypeEngine[Any], database: str) -> Cell:
    """Describe a column of a type that was found in a database."""
    return Cell(name, _kind_of(found, database), database, found)


def checked(cell: Cell, allowed: frozenset[Kind]) -> Cell:
    """Return a cell if it is made for its role."""
    if cell.kind in allowed:
        return cell
    wanted = ", ".join(sorted(kind.name.lower() for kind in allowed))
    raise EngineConfigError(f"the column {cell.name} is {cell.found!r}", f"it has to be {wanted}")


def owner_is(cell: Cell, session: str) -> bool:
    """Tell whether a session can be named so in this column: numbers and UUIDs in one spelling."""
    if cell.kind is Kind.NUMBER:
        return session.isascii() and session.isdigit() and str(int(session)) == session
    if cell.kind is Kind.UUID:
        try:
            return str(UUID(session)) == session
        except ValueError:
            return False
    return cell.holds(session)


def text_of(raw: object) -> str | None:
    """Return a name as text; None for what no name can be."""
    if isinstance(raw, bytes):
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return None
    return None if raw is None else str(raw)


def value_of(cell: Cell, raw: object) -> bytes | None:
    """Return a value as bytes; None for what is none."""
    if isinstance(raw, bytes | bytearray | memoryview):
        return bytes(raw)
    if not isinstance(raw, str):
        return None
    return (
        _spelt(json.loads(raw))
        if cell.kind is Kind.PARSED
        else raw.encode("utf-8", "surrogatepass")
    )


def meaning_of(value: bytes) -> bytes:
    """Return what a column that parses its JSON keeps of a value: members sorted, 1.0 as 1."""
    if json_flaw(value) is not None:
        return value
    return _spelt(json.loads(value, parse_float=_number), sort=True)


def _number(text: str) -> float | int:
    number = float(text)
    return int(number) if number.is_integer() else number


def _spelt(value: object, *, sort: bool = False) -> bytes:
    """Spell JSON without spaces, as JavaScript does."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=sort)
    return text.encode("utf-8", "surrogatepass")


def _kind_of(found: TypeEngine[Any], database: str) -> Kind:
    if isinstance(found, JSON):
        if database == "postgresql":
            return Kind.PARSED if isinstance(found, JSONB) else Kind.JSON_TEXT
        return Kind.PARSED if database == "mysql" else Kind.TEXT
    if isinstance(found, DateTime):
        return Kind.MOMENT
    try:
        return _BY_PYTHON.get(found.python_type, Kind.OTHER)
    except NotImplementedError:
        return Kind.OTHER
