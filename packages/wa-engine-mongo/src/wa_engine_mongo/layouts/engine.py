"""The engine over one document: every read has all of it, every write all or nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from wa_core.errors import UnsupportedError, masked
from wa_core.storage import FULL, Capabilities, Durability, Engine, Entry, Lease, Operation, Put

from wa_engine_mongo.engine import FAREWELL_S
from wa_engine_mongo.faults import mongo_errors
from wa_engine_mongo.layouts.documents import Documents, Session
from wa_engine_mongo.layouts.rawjson import SPACE
from wa_engine_mongo.layouts.state import has_place, json_text
from wa_engine_mongo.place import Place
from wa_engine_mongo.provider import Client, let_go

MOVE = "wa/move"
CLAIMS = FULL - frozenset(
    # Not every key, not every value; no checksum, no positions; a change costs as much as the
    # document is long; no place for a lease or a version.
    ("K1", "K3", "V1", "G2", "C4", "O1", "O3", "O6", "L1", "L2", "L3", "N3", "Y1", "Y2", "Y3")
)


class DocumentEngine(Engine):
    """One session in a document."""

    def __init__(
        self, client: Client, place: Place, documents: Documents, *, timeout: float, read_only: bool
    ) -> None:
        promised = Capabilities(
            durability=Durability.POWER, shared=True, read_only=read_only, claims=CLAIMS
        )
        super().__init__(promised, timeout=timeout)
        self._client = client
        self._place = place
        self._documents = documents

    async def survey(self) -> None:
        """Look at the server: what cannot keep its promise is refused [D2]."""
        with mongo_errors():
            await self._place.greet(read_only=self.capabilities.read_only)
            await self._place.check_storage()

    def holds(self, key: str) -> bool:
        """Tell whether this layout has a place for a key."""
        return key == MOVE or has_place(key)

    def check_value(self, key: str, value: bytes) -> None:
        """Raise for a key that has no place here, and for a value that its place cannot have."""
        if not self.holds(key):
            raise UnsupportedError(f"a place for {masked(key)!r} in this document")
        if key != MOVE:
            json_text(value)

    def canonical(self, key: str, value: bytes) -> bytes:
        """Return what two values have in common that this layout cannot tell apart.

        A value among others loses the spaces around it, and nothing else.
        """
        return value if key == MOVE else value.strip(SPACE.encode())

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        session = await self._read()
        found = {key: _get(session, key) for key in keys}
        return {key: value for key, value in found.items() if value is not None}

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        if fence is not None:
            raise UnsupportedError("fenced writes")
        for operation in operations:
            if isinstance(operation, Put):
                if not self.holds(operation.key):
                    raise UnsupportedError("a place for this key")
                self.check_value(operation.key, operation.value)

        def change(session: Session) -> None:
            for operation in operations:
                if isinstance(operation, Put):
                    _put(session, operation.key, operation.value)
                else:
                    _cascade(session, operation.key)

        with mongo_errors():
            await self._documents.change(change)

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        keys = sorted(key for key in _keys(await self._read()) if key.startswith(prefix))
        return keys[offset:] if limit is None else keys[offset:][:limit]

    async def _count(self, prefix: str) -> int:
        return sum(key.startswith(prefix) for key in _keys(await self._read()))

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        session = await self._read()
        for key in sorted(_keys(session)):
            value = _get(session, key)
            if value is not None and key.startswith(prefix):
                yield Entry(key, value, 0)

    async def _clear(self) -> None:
        with mongo_errors():
            await self._documents.remove()

    async def _close(self) -> None:
        await let_go(self._client, min(FAREWELL_S, self.timeout / 8))

    async def _read(self) -> Session:
        with mongo_errors():
            return await self._documents.read()


def _keys(session: Session) -> list[str]:
    return [*session.state.records(), *([] if session.marker is None else [MOVE])]


def _get(session: Session, key: str) -> bytes | None:
    return session.marker if key == MOVE else session.state.get(key)


def _put(session: Session, key: str, value: bytes) -> None:
    if key == MOVE:
        session.marker = value
    else:
        session.state.put(key, value)


def _cascade(session: Session, key: str) -> None:
    for gone in _keys(session):
        if gone == key or gone.startswith(f"{key}/"):
            if gone == MOVE:
                session.marker = None
            else:
                session.state.delete(gone)
