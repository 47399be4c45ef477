"""JSON whose values stay text: the members of an object, each as it was written.

The idea: what moves through here belongs to another tool. A number or an escape that was parsed and
spelled anew might come out differently; a slice of the text cannot.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

SPACE = " \t\n\r"
_SPACES = re.compile(f"[{SPACE}]*")


def members(text: str) -> dict[str, str]:
    """Return the members of an object as text; of two with one name the last, as JavaScript has it.

    Anything else than one object is a `ValueError`.
    """
    found: dict[str, str] = {}
    at = _behind(text, 0, "{")
    if text[at : at + 1] == "}":
        return _ended(text, at + 1, found)
    while True:
        name, at = _DECODER.raw_decode(text, at)
        if not isinstance(name, str):
            raise ValueError("the name of a member is no text")
        start = _behind(text, at, ":")
        end = _DECODER.raw_decode(text, start)[1]
        found[name] = text[start:end]
        at = _skipped(text, end)
        if text[at : at + 1] == "}":
            return _ended(text, at + 1, found)
        at = _behind(text, at, ",")


def value(data: bytes) -> str:
    """Return one JSON value as text, without spaces around it; else raise `ValueError`."""
    text = data.decode().strip(SPACE)
    if _DECODER.raw_decode(text)[1] != len(text):
        raise ValueError("more than one value")
    return text


def written(found: Mapping[str, str]) -> str:
    """Write an object whose values are JSON already."""
    return "{" + ",".join(f"{_name(name)}:{raw}" for name, raw in found.items()) + "}"


def _name(name: str) -> str:
    # A lone surrogate is no UTF-8, and is escaped as JavaScript escapes it.
    alone = any("\ud800" <= character <= "\udfff" for character in name)
    return json.dumps(name, ensure_ascii=alone)


def _behind(text: str, at: int, mark: str) -> int:
    at = _skipped(text, at)
    if text[at : at + 1] != mark:
        raise ValueError(f"no {mark!r} at character {at}")
    return _skipped(text, at + 1)


def _skipped(text: str, at: int) -> int:
    found = _SPACES.match(text, at)
    return found.end() if found else at


def _ended(text: str, at: int, found: dict[str, str]) -> dict[str, str]:
    if _skipped(text, at) != len(text):
        raise ValueError(f"something follows the object at character {at}")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
