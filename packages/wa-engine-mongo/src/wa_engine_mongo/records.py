"""A record as a document, and back: value and index are one, so they cannot disagree.

`_id` is the address, `s` the session (and shard key), `k` the key, `at` the position, `v` the
value, `c` a checksum over key and value, `d` the folders that hold the key: the index over `d`
answers a page of any of them in order. `g` is the generation that wrote it, where a journal is.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

from wa_core.errors import CorruptRecordError
from wa_core.storage import Entry
from wa_core.storage.keys import ancestors

from wa_engine_mongo.keys import SessionKeys

Document = dict[str, Any]

PAGE_INDEX = [("s", 1), ("d", 1), ("at", -1), ("k", 1)]
"""A page is one stretch of this index, and all that it answers is in it."""


def document(keys: SessionKeys, key: str, value: bytes) -> Document:
    """Write a record as a document, without its position."""
    return {
        "_id": keys.id(key),
        "s": keys.session,
        "k": key,
        "d": ancestors(key),
        "v": value,
        "c": _checksum(key, value),
    }


def value_of(key: str, found: Document) -> bytes:
    """Return the value of a document, or raise when it is not what was written [G2]."""
    value = found.get("v")
    if not isinstance(value, bytes):
        raise CorruptRecordError(key, "its document holds no value")
    if found.get("c") != _checksum(key, value):
        raise CorruptRecordError(key, "its value does not match its checksum")
    return bytes(value)


def entry_of(keys: SessionKeys, found: Document) -> Entry:
    """Return a document as `scan` yields it."""
    key = keys.key(found["_id"])
    position = found.get("at")
    if not isinstance(position, int):
        raise CorruptRecordError(key, "its document holds no position")
    return Entry(key, value_of(key, found), position)


def _checksum(key: str, value: bytes) -> int:
    return crc32(value, crc32(key.encode()))
