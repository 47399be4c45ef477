"""The engine over a keyspace of another library: a batch is one MULTI, whatever it holds.

It claims what such a keyspace keeps. There is no lease, for the library in Node takes none, and no
number for a request, so one that the network delivers late may undo a newer one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Self

from wa_core.errors import CorruptRecordError, EngineConfigError, UnsupportedError, masked
from wa_core.storage import (
    DEFAULT_TIMEOUT_S,
    FULL,
    Capabilities,
    Durability,
    Engine,
    Entry,
    Lease,
    Operation,
    PositionClock,
    Put,
)
from wa_core.storage.layouts import SESSION, json_flaw

from wa_engine_redis.layouts.space import Cell, Command, Space, asked
from wa_engine_redis.line import Line
from wa_engine_redis.settings import Terms, agreed

UNCLAIMED = frozenset({"K1", "K3", "V1", "G2", "W6", "C4", "O6", "L1", "L2", "L3", "X1", "N3"})
"""Not any key nor any value, no checksum, no index for pages, no lease, no version."""
POSITIONS = frozenset({"O1", "O3"})
SCAN_CHUNK = 64


class LayoutEngine(Engine):
    """One session in a keyspace that another library reads, too."""

    def __init__(
        self,
        line: Line,
        space: Space,
        terms: Terms,
        *,
        read_only: bool = False,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        self.space = space
        self._line = line
        self._terms = terms
        self._clock = PositionClock()
        super().__init__(self._promises(Durability.VOLATILE, read_only), timeout=timeout)

    def _promises(self, durability: Durability, read_only: bool) -> Capabilities:
        claims = FULL - UNCLAIMED - (frozenset() if self.space.is_dated else POSITIONS)
        return Capabilities(durability=durability, shared=True, read_only=read_only, claims=claims)

    def holds(self, key: str) -> bool:
        """Tell whether this layout has a place for a key."""
        return self.space.cell(key) is not None

    def check_value(self, key: str, value: bytes) -> None:
        """Raise for a key that has no place here, and for a value that its place cannot have."""
        if self.space.cell(key) is None:
            what = f"a place for {masked(key)!r} in the layout {self.space.scheme}"
            raise UnsupportedError(what)
        flaw = _flaw(key, value)
        if flaw is not None:
            raise UnsupportedError(f"this value of {masked(key)!r} in its layout: {flaw}")

    async def open(self) -> Self:
        """Look at the server's settings [D2]."""
        level = await self._in_time(agreed(self._line, self._terms, self.space.prefix))
        self._capabilities = self._promises(level, self.capabilities.read_only)
        return self

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        placed = [(key, cell) for key in keys if (cell := self.space.cell(key)) is not None]
        values = await asked(self._line, [cell.read for _, cell in placed])
        pairs = zip(placed, values, strict=True)
        return {key: _whole(key, value) for (key, _), value in pairs if value is not None}

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        if fence is not None:
            raise UnsupportedError("fenced writes")
        for operation in operations:
            if isinstance(operation, Put):
                self.check_value(operation.key, operation.value)
        await self._commit(await self._net(operations))

    async def _clear(self) -> None:
        await self._commit({key: None async for key in self.space.keys(self._line, "")})

    async def _net(self, operations: Sequence[Operation]) -> dict[str, Put | None]:
        """Work out what becomes of each key."""
        change: dict[str, Put | None] = {}
        for operation in operations:
            if isinstance(operation, Put):
                change[operation.key] = operation
                continue
            below = f"{operation.key}/"
            for key in [key for key in change if key.startswith(below)]:
                change[key] = None
            if self.space.cell(operation.key) is not None:
                change[operation.key] = None
            if not self.space.is_leaf(operation.key):
                async for key in self.space.keys(self._line, below):
                    change[key] = None
        return change

    async def _commit(self, change: dict[str, Put | None]) -> None:
        cells = {key: cell for key in change if (cell := self.space.cell(key)) is not None}
        gone = [key for key, put in change.items() if put is None]
        puts = [put for put in change.values() if put is not None]
        await self._check_types(cells.values())
        commands: list[Command] = [cells[key].remove for key in gone]
        commands += await self.space.left(self._line, gone)
        undated = [put.key for put in puts if put.at is None]
        self._clock.last = max(self._clock.last, await self.space.newest(self._line, undated))
        for put in puts:
            commands.append(cells[put.key].write(put.value))
            at = self._clock.next() if put.at is None else put.at
            commands += self.space.entered(put.key, at)
        if commands:
            await self._line.transact(commands)

    async def _check_types(self, cells: Iterable[Cell]) -> None:
        """Refuse a key of another type: inside MULTI it would fail alone, and the rest be done."""
        kinds = {cell.name: cell.kind for cell in cells}
        found = await asked(self._line, [("TYPE", name) for name in kinds])
        for (name, kind), is_now in zip(kinds.items(), found, strict=True):
            if is_now not in (b"none", kind):
                text = masked(ascii(name.decode(errors="replace")))
                raise EngineConfigError(f"key {text}", f"it is no {kind.decode()}: take it away")

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        keys = [key async for key in self.space.keys(self._line, prefix)]
        positions = await self.space.positions(self._line, keys)
        rows = sorted((-at, key) for key, at in zip(keys, positions, strict=True))
        page = [key for _, key in rows[offset:]]
        return page if limit is None else page[:limit]

    async def _count(self, prefix: str) -> int:
        return len([key async for key in self.space.keys(self._line, prefix)])

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        keys = [key async for key in self.space.keys(self._line, prefix)]
        for first in range(0, len(keys), SCAN_CHUNK):
            some = keys[first : first + SCAN_CHUNK]
            positions = await self.space.positions(self._line, some)
            values = await self._get_many(some)
            for key, at in zip(some, positions, strict=True):
                if key in values:
                    yield Entry(key, values[key], at)

    async def _close(self) -> None:
        await self._line.disconnect()


def _flaw(key: str, value: bytes) -> str | None:
    """Say why a value could not be read back: records are JSON, and nothing is empty."""
    if key.startswith(SESSION) and not key.endswith("/content.bin"):
        return json_flaw(value)
    return None if value else "it is empty"


def _whole(key: str, value: object) -> bytes:
    if not isinstance(value, bytes):
        raise CorruptRecordError(key, "it is no text")
    flaw = _flaw(key, value)
    if flaw is not None:
        raise CorruptRecordError(key, flaw)
    return value
