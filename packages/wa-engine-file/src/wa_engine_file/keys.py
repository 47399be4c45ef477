"""How a key is spelled as a path below the session's folder, and back [Y1].

The idea: the spelling of ordinary keys is the one Node users know, `@` as `_at_` and all else as
it is; whatever that cannot hold is escaped with `%`, so that decoding is exact and two keys never
share a path. `%xx` is a byte, a name that is `%` alone is the value of a key that also has keys
below it, and a name that ends in `%+` goes on in the folder of that name.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from urllib.parse import unquote

from wa_core.storage import is_key

CONTROL = ".wa"
"""The folder beside the keys where lock, journal and manifest live."""
OWN_VALUE = "%"
"""The file name of a value whose key has keys below it [K3]."""

PIECE_BYTES = 200
SHORT = PIECE_BYTES // 4
"""A name of so many characters needs no cutting, whatever they are."""
_CONTINUED = "%+"

_PLAIN_ESCAPES = re.compile(r"%|_(?=at[_@])|@")
_SAFE_ESCAPES = re.compile(r"[^a-z0-9._+=,@-]|_(?=at[_@])|@|\.\Z")


class Spelling(StrEnum):
    """Two ways to write names; a store keeps the one it began with."""

    PLAIN = "plain"
    """As Node users know it; needs a file system that tells all names apart."""
    SAFE = "safe"
    """Only names that survive folding of case and normal forms [K2]."""

    def path(self, key: str) -> str:
        """Spell `key` as a relative path."""
        folder, slash, name = key.rpartition("/")
        if slash:
            return f"{_folder(self, folder)}/{self._name(name)}"
        return "%2e" + name[1:] if name == CONTROL else self._name(name)

    def own(self, key: str) -> str:
        """Spell the place of the value of a key that has keys below it."""
        return f"{self.path(key)}/{OWN_VALUE}"

    def key(self, path: str) -> str | None:
        """Read a relative path back; None when it is not one that we would write."""
        spelled = path.removesuffix("/" + OWN_VALUE)
        key = _decoded(spelled)
        return key if is_key(key) and self.path(key) == spelled else None

    def segment(self, name: str) -> str | None:
        """Read one ordinary name back without looking further; None when it takes `key`."""
        if self is Spelling.SAFE or "%" in name or "@" in name or len(name) > SHORT:
            return None
        return name.replace("_at_", "@")

    def session_path(self, session: str) -> str:
        """Spell the name of a session as a relative path, mostly of one name."""
        name = self._escaped(session).replace("/", "%2f")
        return _cut("%2e" + name[1:] if name.startswith(".") else name)

    def session(self, path: str) -> str | None:
        """Read the path of a session back; None when it is no session's."""
        name = _decoded(path)
        return name if name and self.session_path(name) == path else None

    def _name(self, segment: str) -> str:
        if self is Spelling.PLAIN and segment.isalnum() and len(segment) <= SHORT:
            return segment
        return _cut(self._escaped(segment))

    def _escaped(self, text: str) -> str:
        escapes = _PLAIN_ESCAPES if self is Spelling.PLAIN else _SAFE_ESCAPES
        return escapes.sub(_escape, text)


@lru_cache(maxsize=4096)
def _folder(spelling: Spelling, key: str) -> str:
    """Spell the key that others lie below: neighbours ask for the same one again and again."""
    return spelling.path(key)


def _decoded(path: str) -> str:
    joined = path.replace(f"{_CONTINUED}/+", "").replace("_at_", "@")
    return unquote(joined, errors="surrogateescape")


def _escape(found: re.Match[str]) -> str:
    if found[0] == "@":
        return "_at_"
    return "".join(f"%{byte:02x}" for byte in found[0].encode())


def _cut(name: str) -> str:
    """Turn an over-long name into a path of pieces, cut at character boundaries."""
    if len(name) <= SHORT or len(name.encode()) <= PIECE_BYTES:
        return name
    pieces, begun, size = [], 0, 0
    for at, char in enumerate(name):
        width = len(char.encode())
        if size + width > PIECE_BYTES:
            pieces.append(name[begun:at])
            begun, size = at, 0
        size += width
    pieces.append(name[begun:])
    return f"{_CONTINUED}/+".join(pieces)
