"""`arcaelas-redis:`: the keyspace of `@arcaelas/whatsapp`, in the two shapes that it has had.

Version 2, the library of three methods, has a string `{prefix}:{key}` for each key and no order.
Version 8 has `{prefix}:doc:{path}`, bytes beside it in `...:bin`, and in `{prefix}:idx:{parent}`
the children of a path by their time in milliseconds. A record's id is written as it is; version 8
makes one slash of several and drops one at either end, so such ids are refused there.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Sequence
from decimal import Decimal

from wa_core.errors import EngineConfigError, InvalidKeyError, masked
from wa_core.storage import is_key
from wa_core.storage.layouts import SESSION, key_of, record_of

from wa_engine_redis.layouts.space import Cell, Command, Unordered, asked, names
from wa_engine_redis.line import Line

BINARY = "/content.bin"
_BIN = ":bin"
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_TOPS = ("session/", "contact/", "chat/", "lid/", "status/")


class ArcaelasSpace(Unordered, ABC):
    """What both shapes share: strings under bare keys."""

    scheme = "arcaelas-redis"
    mark = ""

    def __init__(self, place: str, session: str) -> None:
        self.prefix = f"{place}:{session}:".encode()
        self._values = self.prefix + self.mark.encode()

    def cell(self, key: str) -> Cell | None:
        """Return the string of a key, if that string is read back as this key."""
        record = record_of(key)
        raw = self._raw(key if record is None else f"{SESSION}{record[0]}/{record[1]}")
        try:
            name = self._values + raw.encode()
            return Cell(name) if self._key(raw) == key else None
        except (UnicodeEncodeError, EngineConfigError):
            return None

    def is_leaf(self, key: str) -> bool:
        """Any key may have others below it."""
        return False

    async def keys(self, line: Line, prefix: str) -> AsyncIterator[str]:
        """Walk the strings of the session."""
        top = prefix[: prefix.find("/") + 1]
        async for name in names(line, self._values + top.encode(), "string"):
            try:
                raw = name[len(self._values) :].decode()
            except UnicodeDecodeError:
                raise _in_doubt(repr(name)) from None
            key = self._key(raw)
            if key is not None and key.startswith(prefix):
                yield key

    def _key(self, raw: str) -> str | None:
        """Read a name; None for what is no key of this session."""
        if ":" in raw.partition("/")[0]:
            return None  # of a session whose name goes on where this one's ends
        kind, slash, ident = raw.removeprefix(SESSION).partition("/")
        try:
            if raw.startswith(SESSION) and slash:
                return self._record(kind, ident)
        except InvalidKeyError:
            raise _in_doubt(raw) from None
        if not is_key(raw) and raw.startswith(_TOPS):
            raise _in_doubt(raw)
        return raw if is_key(raw) else None

    def _record(self, kind: str, ident: str) -> str:
        return key_of(kind, ident)

    @abstractmethod
    def _raw(self, key: str) -> str: ...


class PlainSpace(ArcaelasSpace):
    """Version 2: `{prefix}:contact/5491@s.whatsapp.net/index`."""

    def _raw(self, key: str) -> str:
        return key


class IndexedSpace(ArcaelasSpace):
    """Version 8: `{prefix}:doc:contact/5491@s.whatsapp.net`, with an index for each folder."""

    is_dated = True
    mark = "doc:"

    async def positions(self, line: Line, keys: Sequence[str]) -> list[int]:
        """Ask the index of each key's folder."""
        paths = [self._path(key) for key in keys]
        found = await asked(line, [("ZSCORE", self._index(path), path.encode()) for path in paths])
        return [0 if score is None else _position(score) for score in found]

    async def newest(self, line: Line, keys: Iterable[str]) -> int:
        """Ask the indexes of the folders that keys lie in."""
        folders = {self._index(self._path(key)) for key in keys}
        found = await asked(line, [("ZREVRANGE", each, 0, 0, "WITHSCORES") for each in folders])
        tops = [row for row in found if isinstance(row, list) and row]
        return max((_position(_score_of(row)) for row in tops), default=0)

    def entered(self, key: str, at: int) -> list[Command]:
        """Enter the path with its time."""
        path = self._path(key)
        return [("ZADD", self._index(path), repr(at / 1000), path.encode())]

    async def left(self, line: Line, keys: Sequence[str]) -> list[Command]:
        """Take a path out unless its value or its bytes stay."""
        paths = dict.fromkeys(map(self._path, keys))
        gone = {cell.name for key in keys if (cell := self.cell(key)) is not None}
        twins = {
            path: {self._values + path.encode(), self._values + (path + _BIN).encode()} - gone
            for path in paths
        }
        asking = [(path, others) for path, others in twins.items() if others]
        found = await asked(line, [("EXISTS", *others) for _, others in asking])
        stay = {path for (path, _), count in zip(asking, found, strict=True) if count}
        return [("ZREM", self._index(path), path.encode()) for path in paths if path not in stay]

    def _raw(self, key: str) -> str:
        return key.removesuffix(BINARY) + _BIN if key.endswith(BINARY) else key

    def _key(self, raw: str) -> str | None:
        if raw.endswith(_BIN):
            path = raw.removesuffix(_BIN)
            return f"{path}{BINARY}" if is_key(f"{path}{BINARY}") else None
        return super()._key(raw)

    def _record(self, kind: str, ident: str) -> str:
        lost = kind == "app-state-sync-key" and not _BASE64.fullmatch(ident)
        if lost or not ident or ident.startswith("/") or ident.endswith("/") or "//" in ident:
            raise _in_doubt(f"{SESSION}{kind}/{ident}")
        return super()._record(kind, ident)

    def _path(self, key: str) -> str:
        cell = self.cell(key)
        if cell is None:
            return key
        return cell.name[len(self._values) :].decode().removesuffix(_BIN)

    def _index(self, path: str) -> bytes:
        return self.prefix + b"idx:" + path.rpartition("/")[0].encode()


def _position(score: object) -> int:
    """Read milliseconds, as the library keeps them, as microseconds, without a second rounding."""
    if not isinstance(score, bytes | float | int):
        return 0
    return max(0, round(Decimal(float(score)) * 1000))


def _score_of(row: list[object]) -> object:
    top = row[0]
    return top[1] if isinstance(top, tuple | list) else row[1]


def _in_doubt(raw: str) -> EngineConfigError:
    return EngineConfigError(
        f"key {masked(ascii(raw))}",
        "it can mean more than one key of ours, or none: rename it or take it away",
    )
