"""The folders above a key, as numbers that an index finds at once [O6].

The idea: a record carries one number for each of its first four folders, and each number has an
index in page order beside it; the database keeps them true by itself. Deeper folders are rare and
have rows of their own. A number is a hash, so whoever looks also compares the key.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

LEVELS = 4
"""Folders that a record carries itself: `chat/`, `chat/1/`, `chat/1/message/`, `.../7/`."""

Hashes = tuple[int | None, int | None, int | None, int | None]


@lru_cache(maxsize=4096)
def folder_hash(folder: bytes) -> int:
    """Return the number of a folder, which ends in '/': 64 bits, signed."""
    return int.from_bytes(blake2b(folder, digest_size=8).digest(), "big", signed=True)


def hashes_of(key: bytes) -> Hashes:
    """Return the numbers of the first folders above `key`."""
    return _hashes(key[: key.rfind(b"/") + 1])


@lru_cache(maxsize=4096)
def _hashes(folder: bytes) -> Hashes:
    found = [folder_hash(above) for above in _folders(folder, LEVELS)]
    return tuple(found + [None] * (LEVELS - len(found)))  # type: ignore[return-value]


def is_deep(key: bytes) -> bool:
    """Tell whether some folder above `key` has no place in its record."""
    return key.count(b"/") > LEVELS


def deep_hashes(key: bytes) -> list[int]:
    """Return the numbers of all folders that have no place in the record of `key`."""
    return [folder_hash(above) for above in _folders(key, len(key))[LEVELS:]]


def level_of(prefix: bytes) -> int | None:
    """Return how deep a path prefix is, the empty one being 0; None when it ends in a segment."""
    return prefix.count(b"/") if not prefix or prefix.endswith(b"/") else None


def end_of(prefix: bytes) -> bytes:
    """Return a bound above all keys that begin with `prefix`: no UTF-8 holds the byte 0xff."""
    return prefix[:-1] + bytes((prefix[-1] + 1,)) if prefix else b"\xff"


def below(key: bytes) -> tuple[bytes, bytes]:
    """Return the range of the keys below `key`: '0' is the character behind '/'."""
    return key + b"/", key + b"0"


def _folders(key: bytes, most: int) -> list[bytes]:
    found: list[bytes] = []
    at = key.find(b"/")
    while at >= 0 and len(found) < most:
        found.append(key[: at + 1])
        at = key.find(b"/", at + 1)
    return found
