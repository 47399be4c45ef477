"""An auth state as one JSON text: `{"creds": ..., "keys": {...}}`.

Three ways to group the keys are read, and kept when the text is written again: by the names that
Baileys has for its kinds (`"pre-key": {"1": ...}`), by the names that its single file had
(`"preKeys": {"1": ...}`), and one by one (`"pre-key-1": ...`). A key whose value is null was
deleted.
"""

from __future__ import annotations

from collections.abc import Iterator

from wa_core.errors import CorruptRecordError, InvalidKeyError, UnsupportedError
from wa_core.storage.layouts import CREDS, KINDS, key_of, record_of

from wa_engine_mongo.layouts import rawjson

_SINGLE_FILE = {
    "preKeys": "pre-key",
    "sessions": "session",
    "senderKeys": "sender-key",
    "senderKeyMemory": "sender-key-memory",
    "appStateSyncKeys": "app-state-sync-key",
    "appStateVersions": "app-state-sync-version",
}
_LONGEST_FIRST = sorted(KINDS, key=len, reverse=True)
_NULL = "null"


class AuthText:
    """The records of one text."""

    def __init__(self) -> None:
        self.creds: str | None = None
        self._groups: dict[str, dict[str, str]] = {}
        self._single: dict[str, str] = {}
        self._rest: dict[str, str] = {}
        self._places: dict[str, tuple[str | None, str]] = {}

    @classmethod
    def read(cls, text: str) -> AuthText:
        """Read a text, or raise `CorruptRecordError`: it is never taken for an empty one."""
        made = cls()
        try:
            made._rest = rawjson.members(text)
            if not made._rest.keys() & {"creds", "keys"}:
                raise ValueError("an object of another shape")
            made.creds = made._rest.pop("creds", None)
            for name, raw in rawjson.members(made._rest.pop("keys", "{}")).items():
                made._take(name, raw)
        except (ValueError, RecursionError):
            # Not `from`: the error of the parser holds the text.
            raise CorruptRecordError(CREDS, "the document holds no auth state") from None
        if made.creds == _NULL:
            raise CorruptRecordError(CREDS, "the document holds null in its place")
        made._places = dict(made._placed())
        return made

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in it, of ours or of anybody's."""
        return self.creds is None and not self._places and not self._rest

    def records(self) -> list[str]:
        """Name the records."""
        return [*([] if self.creds is None else [CREDS]), *self._places]

    def get(self, key: str) -> bytes | None:
        """Return the value of a record, as it was written."""
        raw = self.creds if key == CREDS else None
        if key in self._places:
            group, name = self._places[key]
            raw = self._single[name] if group is None else self._groups[group][name]
        return None if raw is None else raw.encode("utf-8", "surrogatepass")

    def put(self, key: str, value: bytes) -> None:
        """Write a record; what the other tool could not read is refused."""
        raw = json_text(value)
        if key == CREDS:
            self.creds = raw
            return
        group, name = self._places.get(key) or self._place_for(key)
        (self._single if group is None else self._groups.setdefault(group, {}))[name] = raw
        self._places[key] = (group, name)

    def delete(self, key: str) -> None:
        """Remove a record."""
        if key == CREDS:
            self.creds = None
        elif key in self._places:
            group, name = self._places.pop(key)
            del (self._single if group is None else self._groups[group])[name]

    def text(self) -> str:
        """Write the text."""
        groups = {name: rawjson.written(group) for name, group in self._groups.items()}
        creds = {} if self.creds is None else {"creds": self.creds}
        keys = rawjson.written({**groups, **self._single})
        return rawjson.written({**creds, "keys": keys, **self._rest})

    def _take(self, name: str, raw: str) -> None:
        if _is_single(name):
            self._single[name] = raw
        elif raw != _NULL:
            self._groups[name] = rawjson.members(raw)

    def _placed(self) -> Iterator[tuple[str, tuple[str | None, str]]]:
        seen: set[str] = set()
        for kind, ident, place, raw in self._entries():
            if raw == _NULL:
                continue
            try:
                key = key_of(kind, ident)
            except InvalidKeyError:
                raise CorruptRecordError(f"{kind} {ident}", "its id is too long") from None
            if key in seen:
                raise CorruptRecordError(key, "the document holds it twice")
            seen.add(key)
            yield key, place

    def _entries(self) -> Iterator[tuple[str, str, tuple[str | None, str], str]]:
        for group, found in self._groups.items():
            for ident, raw in found.items():
                yield _SINGLE_FILE.get(group, group), ident, (group, ident), raw
        for name, raw in self._single.items():
            pair = _split(name)
            assert pair is not None, "taken for one record by its name"
            yield *pair, (None, name), raw

    def _place_for(self, key: str) -> tuple[str | None, str]:
        pair = record_of(key)
        assert pair is not None, "asked before whether there is a place for it"
        kind, ident = pair
        single = f"{kind}-{ident}"
        if self._single and kind not in self._groups and _reads_as(single, pair):
            return None, single
        for group in self._groups:
            if _SINGLE_FILE.get(group) == kind:
                return group, ident
        return kind, ident


def has_place(key: str) -> bool:
    """Tell whether a record can be in such a text, and be read back as itself."""
    pair = record_of(key)
    if pair is None:
        return key == CREDS
    return pair[0] not in _SINGLE_FILE and not _is_single(pair[0])


def json_text(value: bytes) -> str:
    """Return a value as JSON text, or refuse it."""
    try:
        text = rawjson.value(value)
    except (ValueError, RecursionError):
        raise UnsupportedError("values that are no JSON") from None
    if text == _NULL:
        raise UnsupportedError("null as a value: it means that there is none")
    return text


def _is_single(name: str) -> bool:
    return name not in KINDS and _split(name) is not None


def _reads_as(name: str, pair: tuple[str, str]) -> bool:
    return name not in KINDS and _split(name) == pair


def _split(name: str) -> tuple[str, str] | None:
    for kind in _LONGEST_FIRST:
        if name.startswith(f"{kind}-"):
            return kind, name[len(kind) + 1 :]
    return None
