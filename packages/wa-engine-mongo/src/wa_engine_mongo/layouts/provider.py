"""`baileys-mongo:` URLs: `baileys-mongo://HOST/DATABASE#NUMBER`, and what `mongodb:` URLs hold.

`baileys-mongo:mongodb+srv://...` names the scheme where it matters; `?collection=` the collection.
"""

from __future__ import annotations

import re

from wa_core.errors import EngineConfigError, InvalidUrlError
from wa_core.storage import (
    DEFAULT_TIMEOUT_S,
    Capabilities,
    Durability,
    Engine,
    EngineUrl,
    Provider,
)

from wa_engine_mongo.keys import check_session
from wa_engine_mongo.layouts.documents import MARKER, Documents
from wa_engine_mongo.layouts.engine import CLAIMS, DocumentEngine
from wa_engine_mongo.place import Place
from wa_engine_mongo.provider import DEFAULT_SESSION, connect, database_of, surveyed

COLLECTION = "whatsapp_sessions"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,119}")
_SCHEMES = ("mongodb", "mongodb+srv", "mongo")


class BaileysMongoProvider(Provider):
    """Opens documents."""

    best = Capabilities(durability=Durability.POWER, shared=True, claims=CLAIMS)

    async def open(self, url: EngineUrl, *, read_only: bool = False) -> Engine:
        """Open the document of a number; it is made when something is written."""
        timeout = url.timeout or DEFAULT_TIMEOUT_S
        if url.durability not in (None, Durability.POWER):
            raise EngineConfigError(
                f"durability={url.durability}", "each document is written to disk: it offers power"
            )
        number = check_session(DEFAULT_SESSION if url.session is None else url.session)
        collection = _collection(url)
        client, database = connect(_database_url(url), timeout)
        place = Place(client[database])
        documents = Documents(place, collection, number)
        engine = DocumentEngine(client, place, documents, timeout=timeout, read_only=read_only)
        return await surveyed(engine, timeout)

    async def list_sessions(self, url: EngineUrl) -> list[str]:
        """Name the numbers that have a document."""
        question = {
            "find": _collection(url),
            "filter": {"$or": [{"data": {"$exists": True}}, {MARKER: {"$ne": None}}]},
            "projection": {"_id": 0, "number": 1},
        }
        async with database_of(_database_url(url)) as place:
            found = await place.rows(question)
        names = (row.get("number") for row in found)
        return [str(name) for name in names if isinstance(name, str | int)]


def _collection(url: EngineUrl) -> str:
    name = url.params.get("collection", COLLECTION)
    if not _NAME.fullmatch(name):
        raise InvalidUrlError("collection", "letters, digits, '_', '.' and '-'")
    return name


def _database_url(url: EngineUrl) -> EngineUrl:
    """Return the URL of the database."""
    scheme, colon, place = url.place.partition(":")
    if not colon or scheme not in _SCHEMES:
        scheme, place = "mongodb", url.place
    rest = {name: value for name, value in url.params.items() if name != "collection"}
    return EngineUrl(scheme, place, rest)
