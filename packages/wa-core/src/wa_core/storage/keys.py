"""The key grammar [K1, K4]: which strings are keys, which are prefixes.

A key is data. It is never a path, a pattern or a query; an engine that needs one of those encodes
the key, it does not restrict it further.
"""

from __future__ import annotations

import re

from wa_core.errors import InvalidKeyError

MAX_KEY_BYTES = 512

_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[^/\x00-\x1f\x7f\ud800-\udfff]+"
_KEY = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")


def check_key(key: str) -> str:
    """Return `key`, or raise `InvalidKeyError` that says what is wrong with it [K1, K4]."""
    if not is_key(key):
        raise InvalidKeyError(key, _why_not(key))
    return key


def check_prefix(prefix: str) -> str:
    """Return `prefix` if it is empty or a valid key can begin with it [K4]."""
    if prefix == "" or is_key(prefix) or (isinstance(prefix, str) and is_key(prefix + "x")):
        return prefix
    raise InvalidKeyError(prefix, "no valid key begins like this: " + _why_not(prefix))


def is_key(key: object) -> bool:
    """Tell whether `key` is a valid key [K1]."""
    return (
        isinstance(key, str)
        and len(key) <= MAX_KEY_BYTES
        and _KEY.fullmatch(key) is not None
        and (key.isascii() or len(key.encode()) <= MAX_KEY_BYTES)
    )


def ancestors(key: str) -> list[str]:
    """List the path prefixes that hold `key`: the empty one first, the longest last."""
    found = [""]
    at = key.find("/")
    while at >= 0:
        found.append(key[: at + 1])
        at = key.find("/", at + 1)
    return found


def end_of(prefix: str) -> str | None:
    """Return the least string above all that begin with `prefix`; None when there is no bound.

    Code point order is UTF-8 byte order, so a range of Python strings is a range of keys.
    """
    bare = prefix.rstrip("\U0010ffff")
    return bare[:-1] + chr(ord(bare[-1]) + 1) if bare else None


def _why_not(key: object) -> str:
    if not isinstance(key, str):
        return f"a key is a str, not {type(key).__name__}"
    if not key:
        return "a key has at least one byte"
    if re.search(r"[\ud800-\udfff]", key):
        return "a lone surrogate is not UTF-8"
    if len(key.encode()) > MAX_KEY_BYTES:
        return f"{len(key.encode())} bytes, at most {MAX_KEY_BYTES} are allowed"
    if re.search(r"[\x00-\x1f\x7f]", key):
        return "control characters are not allowed"
    if "" in key.split("/"):
        return "a segment is empty (a leading, trailing or double '/')"
    return "a segment is '.' or '..'"
