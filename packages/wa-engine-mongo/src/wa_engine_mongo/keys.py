"""Where a session's documents lie: one range of `_id`, from the session's head to its last key.

The idea: `_id` is the session's name, a NUL and the key. No name and no key holds a NUL, so no two
(session, key) pairs meet, a tree of keys is a range of `_id`, and nothing is ever a pattern or a
field name. MongoDB compares these strings byte by byte, which is the order of O2.
"""

from __future__ import annotations

import re

from wa_core.errors import UsageError

_SEPARATOR = "\0"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATES = range(0xD800, 0xE000)
MAX_SESSION_BYTES = 256

Range = dict[str, str]


class SessionKeys:
    """The addresses of one session's documents."""

    __slots__ = ("all", "head", "session")

    def __init__(self, session: str) -> None:
        self.session = check_session(session)
        self.head = session + _SEPARATOR
        """The `_id` of the document that keeps the session's clock, lease and version."""
        self.all: Range = {"$gt": self.head, "$lt": session + "\x01"}
        """Every record of the session, and no head."""

    def id(self, key: str) -> str:
        """Return the `_id` of a key."""
        return self.head + key

    def below(self, key: str) -> Range:
        """Return the range of the keys below `key`: "0" is the character after "/" [C1]."""
        return {"$gt": f"{self.head}{key}/", "$lt": f"{self.head}{key}0"}

    def beginning(self, prefix: str) -> Range:
        """Return the range of the keys that begin with `prefix`."""
        return (
            {"$gte": self.head + prefix, "$lt": _after(self.head + prefix)} if prefix else self.all
        )

    def key(self, identity: str) -> str:
        """Return the key of an `_id`."""
        return identity[len(self.head) :]


def check_session(session: str) -> str:
    """Return `session` if it can name one, else raise `UsageError`."""
    if not isinstance(session, str) or not session or _CONTROL.search(session):
        raise UsageError("a session has a name without control characters")
    try:
        size = len(session.encode())
    except UnicodeEncodeError:
        raise UsageError("a session's name is UTF-8") from None
    if size > MAX_SESSION_BYTES:
        raise UsageError(f"a session's name has at most {MAX_SESSION_BYTES} bytes")
    return session


def _after(prefix: str) -> str:
    """Return the least string above all that begin with `prefix`, which holds a NUL at least."""
    bare = prefix.rstrip("\U0010ffff")
    following = ord(bare[-1]) + 1
    return bare[:-1] + chr(_SURROGATES.stop if following in _SURROGATES else following)
