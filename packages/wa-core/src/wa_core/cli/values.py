"""A value as it may be shown: its shape, and no secret of it.

What is text or bytes is told as type and length; numbers, switches and the names of fields stay.
Names can hold keys, too (Baileys files ratchets by them): what is longer than a word is not shown.
"""

from __future__ import annotations

from typing import Any

from wa_core.storage.layouts import BufferJsonError, loads

_LONGEST_NAME = 30


def shape_of(value: bytes) -> Any:
    """Return the shape of a value, as JSON would have it."""
    try:
        return _shape(loads(value))
    except BufferJsonError:
        return _described("bytes", len(value))


def type_of(value: bytes) -> str:
    """Name what a value is."""
    try:
        loads(value)
    except BufferJsonError:
        return "bytes"
    return "JSON"


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {_name(name): _shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_shape(part) for part in value]
    if isinstance(value, bytes):
        return _described("bytes", len(value))
    if isinstance(value, str):
        return _described("text", len(value))
    return value


def _name(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else _described("name", len(name))


def _described(kind: str, length: int) -> str:
    return f"<{kind}, {length}>"
