"""The fields of a JSON object, taken one by one, so that what nobody knows is kept.

A record is read by taking what is understood; the `rest` is the same object without it, and is laid
back under what is written. A field of another shape than expected is not understood, and stays.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any


class ShapeError(ValueError):
    """A record has not the shape it must have; the message tells where, never what."""


class Fields:
    """One object on its way through a parser."""

    def __init__(self, value: object, place: str) -> None:
        if not isinstance(value, Mapping):
            raise ShapeError(f"{place} is no object")
        self._left: dict[str, Any] = dict(value)
        self._within: dict[str, Fields] = {}
        self._place = place

    def within(self, name: str) -> Fields:
        """Go into an object that must be there."""
        return self._within.setdefault(name, Fields(self._left.pop(name, None), self._at(name)))

    def take(self, name: str) -> Any:
        """Take a field as it is, None where there is none."""
        return self._left.pop(name, None)

    def number(self, name: str) -> int:
        """Take a whole number that must be there."""
        found = self.number_if(name)
        if found is None:
            raise ShapeError(f"{self._at(name)} is no whole number")
        return found

    def number_if(self, name: str) -> int | None:
        """Take a whole number if there is one."""
        return self._left.pop(name) if type(self._left.get(name)) is int else None

    def octets(self, name: str, size: int) -> bytes:
        """Take so many bytes, which must be there."""
        found = self.octets_if(name, size)
        if found is None:
            raise ShapeError(f"{self._at(name)} is missing")
        return found

    def octets_if(self, name: str, size: int) -> bytes | None:
        """Take so many bytes if there are any; other bytes are an error."""
        if self._left.get(name) is None:
            return None
        return decoded(self._left.pop(name), size, self._at(name))

    @property
    def rest(self) -> dict[str, Any]:
        """What was not taken, here and within."""
        inner = {name: fields.rest for name, fields in self._within.items()}
        return self._left | {name: rest for name, rest in inner.items() if rest}

    def _at(self, name: str) -> str:
        return f"{self._place}.{name}"


def decoded(value: object, size: int, place: str) -> bytes:
    """Read bytes, from base64 unless they are bytes already."""
    if isinstance(value, str):
        try:
            value = b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise ShapeError(f"{place} is no base64") from None
    if not isinstance(value, bytes) or len(value) != size:
        raise ShapeError(f"{place} is not {size} bytes")
    return value


def encoded(value: bytes) -> str:
    """Spell bytes as the records do."""
    return b64encode(value).decode()


def laid_over(known: dict[str, Any], rest: Mapping[str, Any]) -> dict[str, Any]:
    """Add to an object what was not understood when it was read."""
    for name, value in rest.items():
        inner = known.get(name)
        if isinstance(inner, dict) and isinstance(value, Mapping):
            laid_over(inner, value)
        else:
            known.setdefault(name, value)
    return known
