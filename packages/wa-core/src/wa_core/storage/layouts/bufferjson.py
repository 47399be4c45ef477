"""BufferJSON: how Baileys writes bytes into JSON, and reads them back.

Bytes are `{"type": "Buffer", "data": "<base64>"}`. What other versions and adapters wrote is read
too: data as a list of numbers, `{"buffer": true, "value": ...}`, and an object of numbers alone,
which is what `JSON.stringify` makes of a `Uint8Array`.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any


class BufferJsonError(ValueError):
    """These bytes are no BufferJSON; the message tells where, never what."""


def dumps(value: object) -> bytes:
    """Spell a value as Baileys' `JSON.stringify` with its replacer does."""
    text = json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        # A lone surrogate, which UTF-8 cannot hold, is escaped as JavaScript escapes it.
        return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def loads(data: bytes) -> Any:
    """Read a value; buffers become `bytes`."""
    try:
        return _revived(json.loads(data.decode(), parse_constant=_refuse_constant))
    except UnicodeDecodeError as exc:
        raise BufferJsonError(f"no UTF-8 at byte {exc.start} of {len(data)}") from None
    except json.JSONDecodeError as exc:
        raise BufferJsonError(f"no JSON at character {exc.pos} of {len(data)} bytes") from None
    except RecursionError:
        raise BufferJsonError("nested too deeply") from None
    except BufferJsonError:
        raise
    except ValueError:
        # Python reads no number of thousands of digits.
        raise BufferJsonError("a number that is too long") from None


def json_flaw(data: bytes) -> str | None:
    """Say why bytes are no value, None when they are one: half of one is none, nor is nothing."""
    if not data:
        return "it is empty"
    try:
        loads(data)
    except BufferJsonError as exc:
        return str(exc)
    return None


def _plain(value: object) -> object:
    if isinstance(value, bytes | bytearray | memoryview):
        return {"type": "Buffer", "data": b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {_name(name): _plain(part) for name, part in value.items()}
    if isinstance(value, str) or value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        # JavaScript has one kind of number, and writes 1.0 as 1.
        return int(value) if value.is_integer() and abs(value) < 1e21 else value
    if isinstance(value, Sequence):
        return [_plain(part) for part in value]
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a name in JSON is text, not {type(name).__name__}")
    return name


def _revived(value: Any) -> Any:
    if isinstance(value, list):
        return [_revived(part) for part in value]
    if not isinstance(value, dict):
        return value
    found = _buffer(value)
    if found is not None:
        return found
    return {name: _revived(part) for name, part in value.items()}


def _buffer(value: dict[str, Any]) -> bytes | None:
    if value.get("type") == "Buffer" and "data" in value:
        return _bytes(value["data"])
    if value.get("buffer") is True:
        return _bytes(value.get("data", value.get("value")))
    if value and all(name.isascii() and name.isdigit() for name in value):
        # A Uint8Array that was written without the replacer: its indexes, in order, from 0.
        numbers = list(value.values())
        if list(value) == [str(index) for index in range(len(numbers))]:
            return _octets(numbers)
    return None


def _bytes(data: object) -> bytes | None:
    if isinstance(data, str):
        try:
            # JavaScript reads base64 without its padding, and the URL alphabet.
            text = data.translate(_URL_ALPHABET).rstrip("=")
            return b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise BufferJsonError("a buffer whose data is no base64") from None
    return _octets(data) if isinstance(data, list) else None


def _octets(numbers: list[Any]) -> bytes | None:
    if all(type(number) is int and 0 <= number < 256 for number in numbers):
        return bytes(numbers)
    return None


_SURROGATE = re.compile("[\ud800-\udfff]")
_URL_ALPHABET = str.maketrans("-_", "+/")


def _refuse_constant(name: str) -> None:
    raise BufferJsonError(f"{name} is no JSON")
