"""How the fields of a document are read into dataclasses, and written back as they were.

One idea: a record remembers the document it was read from. What a field still says is written back
in the very form it had, unknown names included; only what was changed is spelt anew.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Annotated, Any, Generic, Protocol, TypeVar, cast, get_origin, get_type_hints


class ShapeError(ValueError):
    """A document is not what it should be; the message names the place, never the value."""

    def __init__(self, reason: str, *place: str) -> None:
        super().__init__(reason, *place)
        self.reason, self.place = reason, place

    def within(self, name: str) -> ShapeError:
        """Return the same error, seen from the document around."""
        return ShapeError(self.reason, name, *self.place)

    def __str__(self) -> str:
        return f"{'.'.join(self.place) or 'it'} {self.reason}"


class Shape(Protocol):
    """What a value looks like in a document."""

    def read(self, raw: Any) -> Any:
        """Return the value, or raise `ShapeError`."""

    def write(self, value: Any, raw: Any) -> Any:
        """Spell the value; `raw` is what stood in its place, or None."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A value of JSON that stands for itself."""

    kind: Any
    name: str

    def read(self, raw: Any) -> Any:
        """Return it; True is no number here."""
        if not isinstance(raw, self.kind) or (isinstance(raw, bool) and self.kind is not bool):
            raise ShapeError(f"is no {self.name}")
        return raw

    def write(self, value: Any, raw: Any) -> Any:
        """Return it."""
        return value


@dataclass(frozen=True, slots=True)
class Binary:
    """Bytes, as a buffer; a public key may have its type byte 0x05 before it."""

    size: int | None = None
    typed: bool = False

    def read(self, raw: Any) -> bytes:
        """Return the bytes."""
        if not isinstance(raw, bytes):
            raise ShapeError("is no buffer")
        if self.size is None or len(raw) == self.size:
            return raw
        if self.typed and len(raw) == self.size + 1 and raw[0] == 5:
            return raw[1:]
        raise ShapeError(f"has {len(raw)} bytes instead of {self.size}")

    def write(self, value: Any, raw: Any) -> Any:
        """Return the bytes, which BufferJSON spells."""
        return value


class Bare:
    """Bytes that protobufjs spells as base64 alone, and other adapters as a buffer."""

    def read(self, raw: Any) -> bytes:
        """Return the bytes of either form."""
        if isinstance(raw, bytes):
            return raw
        if not isinstance(raw, str):
            raise ShapeError("is neither base64 nor a buffer")
        try:
            return b64decode(raw, validate=True)
        except (binascii.Error, ValueError):
            raise ShapeError("is no base64") from None

    def write(self, value: Any, raw: Any) -> Any:
        """Spell the bytes in the form that the document has, or in Baileys' own."""
        return value if isinstance(raw, bytes) else b64encode(value).decode()


class Anything:
    """What we keep and never look into."""

    def read(self, raw: Any) -> Any:
        """Return it."""
        return raw

    def write(self, value: Any, raw: Any) -> Any:
        """Return it."""
        return value


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of one shape, as a tuple."""

    shape: Shape

    def read(self, raw: Any) -> tuple[Any, ...]:
        """Return the values."""
        if not isinstance(raw, list):
            raise ShapeError("is no list")
        return tuple(_at(str(place), self.shape, part) for place, part in enumerate(raw))

    def write(self, value: Any, raw: Any) -> Any:
        """Spell the values."""
        return [self.shape.write(part, None) for part in value]


TEXT = Plain(str, "text")
NUMBER = Plain(int, "whole number")
FLAG = Plain(bool, "yes or no")
OBJECT = Plain(Mapping, "object")
BARE = Bare()
ANYTHING = Anything()
PRIVATE = Binary(32)
PUBLIC = Binary(32, typed=True)

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Record(Generic[R]):
    """A dataclass with a field `source` for the document.

    Its fields of a type `Annotated[..., shape]` are those of the document, there in camelCase.
    """

    kind: type[R]

    def read(self, raw: Any) -> R:
        """Make the dataclass of a document."""
        if not isinstance(raw, Mapping):
            raise ShapeError("is no object")
        values: dict[str, Any] = {"source": raw}
        for name, spelt, shape, needed in _fields(cast(Any, self.kind)):
            part = raw.get(spelt)
            if part is not None:
                values[name] = _at(spelt, shape, part)
            elif needed:
                raise ShapeError("is missing", spelt)
        return self.kind(**values)

    def write(self, value: Any, raw: Any) -> dict[str, Any]:
        """Spell the dataclass over the document it came from."""
        document: dict[str, Any] = dict(value.source)
        for name, spelt, shape, _ in _fields(cast(Any, self.kind)):
            part, before = getattr(value, name), document.get(spelt)
            if part is None:
                if before is not None:
                    del document[spelt]
            elif before is None or shape.read(before) != part:
                document[spelt] = shape.write(part, before)
        return document


@cache
def _fields(kind: Any) -> tuple[tuple[str, str, Shape, bool], ...]:
    """Return of each shaped field its name, its name in the document, shape, and whether needed."""
    hints = get_type_hints(kind, include_extras=True)
    return tuple(
        (part.name, _camel(part.name), hints[part.name].__metadata__[0], part.default is MISSING)
        for part in fields(kind)
        if get_origin(hints[part.name]) is Annotated
    )


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.title() for other in others)


def _at(name: str, shape: Shape, raw: Any) -> Any:
    try:
        return shape.read(raw)
    except ShapeError as exc:
        raise exc.within(name) from None
