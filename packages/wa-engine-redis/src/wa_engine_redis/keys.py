"""Where a session lies among the keys of a Redis: the names, made once, never matched.

`{place}:{session}:` stands in front of every key. Both are escaped, so that they hold no colon:
the second colon ends them, and no two sessions share a key, whatever their names and keys hold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote

from wa_core.errors import UsageError

PLACE = "wa"
SESSION = "default"
_SYNTAX = re.compile(r"[%:{}\x00-\x1f\x7f]")
"""What would be read as our own syntax, or a cluster's hash tag."""


@dataclass(frozen=True, slots=True)
class KeySpace:
    """The keys of one session."""

    prefix: bytes
    """What stands in front of every key of the session: `wa:default:`."""
    place: bytes
    """The first field of the prefix: where the session is registered."""
    member: bytes
    """What it is called there."""
    is_literal: bool = False

    @classmethod
    def of(cls, place: str, session: str, *, tagged: bool = False) -> Self:
        """Name the session; on a cluster, `tagged` keeps all its keys in one slot."""
        one, two = _escaped(place).encode(), _escaped(session).encode()
        name = one + b":" + two
        return cls(b"{" + name + b"}:" if tagged else name + b":", one, two)

    @classmethod
    def literal(cls, prefix: str) -> Self:
        """Take a prefix as another program spells it, with any number of colons."""
        name = prefix.encode()
        return cls(name + b":", name.partition(b":")[0], name, is_literal=True)

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
        """Name the set in which the session is registered."""
        return self.literals if self.is_literal else self.sessions

    @property
    def sessions(self) -> bytes:
        """Name the set of the place's sessions; one colon only, so it is no session's."""
        return self.place + b":/sessions"

    @property
    def literals(self) -> bytes:
        """Name the set of the literal prefixes that begin with the place."""
        return self.place + b":/literals"


def space_of(prefix: str, session: str | None, *, literal: bool, tagged: bool) -> KeySpace:
    """Name the session that a caller describes."""
    if literal:
        if session is not None or tagged or not prefix:
            raise UsageError("a literal prefix is one session, and not on a cluster")
        return KeySpace.literal(prefix)
    place, name = split(prefix) if session is None else (prefix, session)
    return KeySpace.of(place, name, tagged=tagged)


def split(prefix: str) -> tuple[str, str]:
    """Read `wa:default` as a place and a session; the last colon divides them."""
    place, colon, session = prefix.rpartition(":")
    return (place, session) if colon else (prefix, SESSION)


def session_name(member: bytes) -> str:
    """Read a member of the registry."""
    return unquote(member.decode())


def _escaped(text: str) -> str:
    return _SYNTAX.sub(lambda found: quote(found[0], safe=""), text)
