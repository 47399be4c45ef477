"""The document of one number, and the one condition under which it is changed.

The idea: a write names what it has read. If the document is another by then, nothing is written,
and the change is made again on what is there now; so that none is lost, of ours or of the tool's.
`updatedAt` is later with every write, and the old text is named too where the message has room.
"""

from __future__ import annotations

import asyncio
import random
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from bson import Int64, ObjectId
from pymongo.errors import OperationFailure
from wa_core.errors import CorruptRecordError, ValueTooLargeError
from wa_core.storage.layouts import CREDS

from wa_engine_mongo.layouts.state import AuthText
from wa_engine_mongo.place import Place
from wa_engine_mongo.records import Document

LARGEST = 16 * 1024 * 1024
"""What MongoDB takes as one document."""
MARKER = "wa_move"
"""The field of the move marker, which no other tool knows."""
_HEADROOM = 4096
"""For the other fields of the document."""
_ROOM = LARGEST - _HEADROOM
"""For the old and the new text in one message."""
_TICK = timedelta(milliseconds=1)
_DUPLICATE = 11000
_EXACT: Document = {"locale": "simple"}
"""Byte by byte, whatever collation the collection has."""
_LONGEST_WAIT_S = 0.02
_NOTHING = object()
"""Where a document has no text: something else than a text that is null."""


@dataclass(slots=True, repr=False)
class Session:
    """What a document says."""

    state: AuthText
    marker: bytes | None = None


@dataclass(frozen=True, slots=True, repr=False)
class _Found:
    id: object
    data: object
    marker: object
    at: object


Change = Callable[[Session], None]


class Documents:
    """One number's document in a collection."""

    def __init__(self, place: Place, collection: str, number: str) -> None:
        self._place = place
        self._collection = collection
        self._number = number

    async def read(self) -> Session:
        """Read the document; one that is not there is an empty session."""
        return _session(await self._find())

    async def change(self, change: Change) -> None:
        """Read, change and write, again and again until nobody came in between."""
        while True:
            found = await self._find()
            session = _session(found)
            change(session)
            if await self._replace(found, session):
                return
            # Somebody else was faster; the one that comes next may be, too.
            await asyncio.sleep(random.uniform(0, _LONGEST_WAIT_S))

    async def remove(self) -> None:
        """Remove the document, whatever is in it."""
        question = {"q": {"number": self._named()}, "limit": 0, "collation": _EXACT}
        await self._place.write({"delete": self._collection, "deletes": [question]})

    async def _find(self) -> _Found | None:
        rows = await self._place.rows(
            {
                "find": self._collection,
                "filter": {"number": self._named()},
                "projection": {"data": 1, MARKER: 1, "updatedAt": 1},
                "limit": 2,
                "collation": _EXACT,
            }
        )
        if len(rows) > 1:
            raise CorruptRecordError(CREDS, "two documents have this number")
        if not rows:
            return None
        row = rows[0]
        data = row.get("data", _NOTHING)
        return _Found(row["_id"], data, row.get(MARKER), row.get("updatedAt"))

    def _named(self) -> Document:
        """The number as text, and as a number if it is one: tools differ."""
        same: list[object] = [self._number]
        if self._number.isascii() and self._number.isdigit() and len(self._number) <= 18:
            same.append(Int64(self._number))
        return {"$in": same}

    async def _replace(self, found: _Found | None, session: Session) -> bool:
        if session.state.is_empty and session.marker is None:
            return found is None or await self._delete(found)
        fields = _fields(session, None if found is None else found.at)
        if found is None:
            return await self._insert(fields)
        changed: Document = {"$set": fields}
        if missing := [name for name in ("data", MARKER) if name not in fields]:
            changed["$unset"] = dict.fromkeys(missing, "")
        update = {"q": _unchanged(found, fields), "u": changed, "collation": _EXACT}
        reply = await self._place.write({"update": self._collection, "updates": [update]})
        return bool(reply["n"])

    async def _delete(self, found: _Found) -> bool:
        question = {"q": _unchanged(found, {}), "limit": 1, "collation": _EXACT}
        reply = await self._place.write({"delete": self._collection, "deletes": [question]})
        return bool(reply["n"])

    async def _insert(self, fields: Document) -> bool:
        # The same id for all who insert this number, so that only one does.
        ident = ObjectId(sha256(self._number.encode()).digest()[:12])
        document = {"_id": ident, "number": self._number, **fields}
        try:
            await self._place.write({"insert": self._collection, "documents": [document]})
        except OperationFailure as exc:
            if exc.code != _DUPLICATE:
                raise
            return False
        return True


def _session(found: _Found | None) -> Session:
    if found is None:
        return Session(AuthText())
    # We leave no text where the last record is taken away; null was written by somebody else.
    state = AuthText() if found.data is _NOTHING else AuthText.read(_decoded(found.data))
    if found.marker is not None and not isinstance(found.marker, bytes):
        raise CorruptRecordError("wa/move", f"the field {MARKER} holds no bytes")
    return Session(state, None if found.marker is None else bytes(found.marker))


def _decoded(data: Any) -> str:
    try:
        return b64decode(data, validate=True).decode()
    except (ValueError, TypeError):
        raise CorruptRecordError(CREDS, "the document holds no base64 of a text") from None


def _fields(session: Session, before: object) -> Document:
    fields: Document = {"updatedAt": _later(before)}
    if not session.state.is_empty:
        text = session.state.text().encode("utf-8", "surrogatepass")
        fields["data"] = b64encode(text).decode()
    if session.marker is not None:
        fields[MARKER] = session.marker
    size = len(fields.get("data", "")) + len(fields.get(MARKER, b"")) + _HEADROOM
    if size > LARGEST:
        raise ValueTooLargeError(size, LARGEST)
    return fields


def _later(before: object) -> datetime:
    """Return the time, or the next moment that a document can tell from `before`."""
    now = datetime.now(UTC)
    # A cursor gives moments in UTC, without saying so.
    return max(now, before.replace(tzinfo=UTC) + _TICK) if isinstance(before, datetime) else now


def _unchanged(found: _Found, fields: Document) -> Document:
    same: Document = {"_id": found.id, MARKER: found.marker, "updatedAt": found.at}
    if found.data is _NOTHING:
        return {**same, "data": {"$exists": False}}
    if not isinstance(found.data, str) or len(found.data) + len(fields.get("data", "")) < _ROOM:
        return {**same, "data": found.data}
    return {**same, "$expr": {"$eq": [{"$strLenBytes": "$data"}, len(found.data)]}}
