"""`baileys-redis:`: `{prefix}:{user}:creds`, and a hash `{prefix}:{user}:keys:{kind}` of ids.

Ids are fields as they are. A kind with a colon could be a part of another user's name, so there is
no place for one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from wa_core.errors import CorruptRecordError, InvalidKeyError
from wa_core.storage.layouts import CREDS, SESSION, key_of, record_of

from wa_engine_redis.layouts.space import Cell, Unordered, names
from wa_engine_redis.line import Line

MOVE = "wa/move"
_OURS = ("creds", "wa-move")


class BaileysSpace(Unordered):
    """The keys of one user."""

    scheme = "baileys-redis"

    def __init__(self, place: str, user: str) -> None:
        self.prefix = f"{place}:{user}:".encode()

    def cell(self, key: str) -> Cell | None:
        """Return the string of the credentials or the marker, or the field of a record."""
        if key in (CREDS, MOVE):
            return Cell(self.prefix + (b"creds" if key == CREDS else b"wa-move"))
        record = record_of(key)
        if record is None or not record[0] or ":" in record[0] or record[0] in _OURS:
            return None
        try:
            return Cell(self._hash(record[0]), record[1].encode())
        except UnicodeEncodeError:
            return None

    def is_leaf(self, key: str) -> bool:
        """Nothing lies below a record."""
        return key in (CREDS, MOVE) or record_of(key) is not None

    async def keys(self, line: Line, prefix: str) -> AsyncIterator[str]:
        """Walk the hashes; one of them where the prefix names its kind."""
        for key in (CREDS, MOVE):
            cell = self.cell(key)
            if cell is not None and key.startswith(prefix) and await line.call(*cell.there):
                yield key
        if prefix.startswith(SESSION) or SESSION.startswith(prefix):
            async for kind in self._kinds(line, prefix):
                for field in await line.call("HKEYS", self._hash(kind)):
                    key = _key(kind, field)
                    if key.startswith(prefix):
                        yield key

    def _hash(self, kind: str) -> bytes:
        return self.prefix + b"keys:" + kind.encode()

    async def _kinds(self, line: Line, prefix: str) -> AsyncIterator[str]:
        named = record_of(f"{prefix}x" if prefix.endswith("/") else prefix)
        if named is not None:
            if self.cell(key_of(named[0], "x")) is not None:
                yield named[0]
            return
        start = self._hash("")
        async for name in names(line, start, "hash"):
            kind = name[len(start) :].decode(errors="replace")
            if self._hash(kind) == name and self.cell(_key(kind, b"x")) is not None:
                yield kind


def _key(kind: str, field: bytes) -> str:
    try:
        return key_of(kind, field.decode())
    except (UnicodeDecodeError, InvalidKeyError):
        raise CorruptRecordError(f"{SESSION}{kind}", "a field that is no id") from None
