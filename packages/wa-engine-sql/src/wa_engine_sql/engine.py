"""The SQL engine: sessions as rows of a database that many processes share.

The idea: every call is one borrowed connection and one method of the dialect. What comes back is
believed only when its checksum fits.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from sqlalchemy.ext.asyncio import AsyncEngine
from wa_core.errors import CorruptRecordError
from wa_core.storage import (
    DEFAULT_TIMEOUT_S,
    FULL,
    Capabilities,
    Durability,
    Engine,
    Entry,
    Holder,
    Lease,
    Operation,
)

from wa_engine_sql.change import change_of, checksum, position_of
from wa_engine_sql.dialect import Row, Settings
from wa_engine_sql.dialects import dialect_for
from wa_engine_sql.faults import driver_errors
from wa_engine_sql.folders import end_of
from wa_engine_sql.place import Place, Share
from wa_engine_sql.relay import Relay

SCAN_CHUNK = 512


class SqlEngine(Engine):
    """One session in a database; give it an `AsyncEngine` of yours, or open it by URL."""

    orders_applies = True

    def __init__(
        self,
        engine: AsyncEngine,
        session: str = "default",
        *,
        timeout: float = DEFAULT_TIMEOUT_S,
        share: Share | None = None,
        durability: Durability | None = None,
        read_only: bool = False,
    ) -> None:
        # Until the database was asked, nothing is promised [D2].
        super().__init__(_promise(durability or Durability.VOLATILE, read_only), timeout=timeout)
        self._engine = engine
        self._session = session.encode()
        self._share = share
        self._checked = share is not None
        self._relay = Relay()

    @classmethod
    async def open(
        cls,
        engine: AsyncEngine,
        session: str = "default",
        *,
        timeout: float = DEFAULT_TIMEOUT_S,
        read_only: bool = False,
    ) -> SqlEngine:
        """Make an engine that has already asked the database what it may promise."""
        made = cls(engine, session, timeout=timeout, read_only=read_only)
        await made._bounded(made._check())
        return made

    @property
    def session(self) -> bytes:
        """The name of the session, as the database has it."""
        return self._session

    @property
    def place(self) -> Place:
        """The database, with the connections that all its sessions share."""
        if self._share is None:
            self._share = Share(self._engine, self._make_place)
        return self._share.place

    def _make_place(self) -> Place:
        settings = Settings(timeout=self.timeout, read_only=self.capabilities.read_only)
        return Place(self._engine, dialect_for(self._engine, settings))

    async def _check(self) -> None:
        read_only = self.capabilities.read_only
        place = self.place
        durability = await place.check(self._session, read_only=read_only)
        self._capabilities = _promise(durability, read_only)
        self._checked = True

    async def _ready(self) -> Place:
        if not self._checked:
            await self._check()
        return self.place

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        place = await self._ready()
        wanted = {key.encode(): key for key in keys}
        async with place.reading() as line:
            rows = await place.dialect.get_many(line, self._session, list(wanted))
        return {wanted[row.key]: proven(row) for row in rows if row.key in wanted}

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        # While it waits for its turn: the database may be at work on the batch before.
        change = change_of(operations)
        epoch = None if fence is None else fence.epoch
        async with self._relay.next() as leg:
            place = await self._ready()
            async with place.writing() as line:
                await place.dialect.apply(line, self._session, change, epoch, leg)

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        place = await self._ready()
        async with place.reading() as line:
            found = await place.dialect.page(line, self._session, prefix.encode(), offset, limit)
        return [key.decode() for key in found]

    async def _count(self, prefix: str) -> int:
        place = await self._ready()
        async with place.reading() as line:
            return await place.dialect.count(line, self._session, prefix.encode())

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        async with aclosing(self._scan_many(prefix)) as pages:
            async for page in pages:
                for entry in page:
                    yield entry

    async def _scan_many(self, prefix: str) -> AsyncGenerator[Sequence[Entry], None]:
        place = await self._ready()
        start, end = prefix.encode(), end_of(prefix.encode())
        while True:
            async with place.reading() as line:
                rows = await place.dialect.chunk(line, self._session, start, end, SCAN_CHUNK)
            yield [_entry(row) for row in rows if row.size is None]
            for row in rows:
                if row.size is not None and (whole := await self._whole(row)) is not None:
                    yield (_entry(whole),)
            if len(rows) < SCAN_CHUNK:
                return
            # No key holds a NUL, so this is the least that can come next.
            start = rows[-1].key + b"\0"

    async def _whole(self, row: Row) -> Row | None:
        """Read a row whose value was left out for being large; None when it was deleted since."""
        async with self.place.reading() as line:
            found = await self.place.dialect.get_many(line, self._session, [row.key])
        return found[0] if found else None

    async def _acquire(self, holder: str, ttl: float) -> int:
        place = await self._ready()
        async with place.writing() as line:
            return await place.dialect.acquire(line, self._session, holder, ttl)

    async def _holder(self) -> Holder | None:
        place = await self._ready()
        async with place.reading() as line:
            found = await place.dialect.holder(line, self._session)
        return None if found is None else Holder(found[0], found[1] / 1_000_000)

    async def _renew(self, lease: Lease, ttl: float) -> None:
        place = await self._ready()
        async with place.writing() as line:
            await place.dialect.renew(line, self._session, lease.epoch, ttl)

    async def _release(self, lease: Lease) -> None:
        place = await self._ready()
        async with place.writing() as line:
            await place.dialect.release(line, self._session, lease.epoch)

    async def _clear(self) -> None:
        async with self._relay.next() as leg:
            await leg.alone()
            place = await self._ready()
            async with place.writing() as line:
                await place.dialect.clear(line, self._session)

    async def _close(self) -> None:
        if self._share is not None:
            with driver_errors(self.place.dialect.meaning):
                await self._share.leave()


def proven(row: Row) -> bytes:
    """Return the value of a row if it is what was written, or raise [G2]."""
    value = row.value
    if not isinstance(value, bytes):
        raise CorruptRecordError(row.key.decode(), "its row holds no bytes")
    if row.crc != checksum(row.key, value):
        raise CorruptRecordError(row.key.decode())
    return value


def _entry(row: Row) -> Entry:
    value, position, key = proven(row), position_of(row.npos), row.key.decode()
    if position is None:
        raise CorruptRecordError(key, "its position is none")
    return Entry(key, value, position)


def _promise(durability: Durability, read_only: bool) -> Capabilities:
    return Capabilities(durability=durability, shared=True, read_only=read_only, claims=FULL)
