"""Where a session lies among the keys of a Redis: the names, made once, never matched.

`{place}:{session}:` stands in front of every key. Both are escaped, so that they hold no colon:
the second colon ends them, and no two sessions share a key, whatever their names and keys hold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote

PLACE = "wa"
SESSION = "default"
_SYNTAX = re.compile(r"[%:{}\x00-\x1f\x7f]")
"""What would be read as our own syntax, or a cluster's hash tag."""


@dataclass(frozen=True, slots=True)
class KeySpace:
    """The keys of one session."""

    place: str
    session: str
    prefix: bytes
    """What stands in front of every key of the session: `wa:default:`."""

    @classmethod
    def of(cls, place: str, session: str, *, tagged: bool = False) -> Self:
        """Name the session; on a cluster, `tagged` keeps all its keys in one slot."""
        name = f"{_escaped(place)}:{_escaped(session)}"
        return cls(place, session, (f"{{{name}}}:" if tagged else f"{name}:").encode())

    def value(self, key: str) -> bytes:
        """Name the string that holds the value of `key`."""
        return self.prefix + key.encode()

    @property
    def meta(self) -> bytes:
        """Name the hash of what is kept once for the session."""
        return self.prefix + b"/meta"

    @property
    def by_age(self) -> bytes:
        """Name the sorted set that holds every key, newest first."""
        return self.prefix + b"/in/"

    @property
    def by_name(self) -> bytes:
        """Name the sorted set that holds every key in the order of its bytes."""
        return self.prefix + b"/keys"

    @property
    def registry(self) -> bytes:
        """Name the set of the place's sessions; one colon only, so it is no session's."""
        return f"{_escaped(self.place)}:/sessions".encode()


def split(prefix: str) -> tuple[str, str]:
    """Read `wa:default` as a place and a session; the last colon divides them."""
    place, colon, session = prefix.rpartition(":")
    return (place, session) if colon else (prefix, SESSION)


def session_name(member: bytes) -> str:
    """Read a member of the registry."""
    return unquote(member.decode())


def registered(session: str) -> bytes:
    """Spell a session as a member of the registry."""
    return _escaped(session).encode()


def _escaped(text: str) -> str:
    return _SYNTAX.sub(lambda found: quote(found[0], safe=""), text)
