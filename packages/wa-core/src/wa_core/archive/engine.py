"""An archive as an engine: everything can be read, and nothing changes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TypeVar

from wa_core.archive.frames import MAX_VALUE
from wa_core.archive.index import ArchiveIndex
from wa_core.archive.offloop import off_loop
from wa_core.archive.place import MARKER_KEY, MarkerFile
from wa_core.archive.reader import ArchiveReader
from wa_core.errors import ReadOnlyError
from wa_core.storage import (
    MAX_POSITION,
    Capabilities,
    Durability,
    Engine,
    Entry,
    Lease,
    Operation,
    Put,
)

TIMEOUT_S = 60.0
"""The first call that looks for a key reads the whole file, and proves it."""
_STEP = 500

_READS = "K1 K2 K3 K4 V1 G1 G2 G3 G4 O1 O2 O3 O4 O5 O6 S1 D1 D2 F1 F2 X1 X2 N1 N2 N3 U1 U2 U3 U4"
CLAIMS = frozenset(_READS.split())

CAPABILITIES = Capabilities(
    durability=Durability.POWER,
    shared=False,
    max_value=MAX_VALUE,
    read_only=True,
    claims=CLAIMS,
)

T = TypeVar("T")


class ArchiveEngine(Engine):
    """Reads an archive; a scan goes through the file once, everything else asks an index."""

    is_still = True
    """Nobody writes it: what was read once need not be looked at again."""

    def __init__(
        self,
        reader: ArchiveReader,
        *,
        timeout: float = TIMEOUT_S,
        capabilities: Capabilities = CAPABILITIES,
    ) -> None:
        super().__init__(capabilities, timeout=timeout)
        self.about = reader.about
        self._reader = reader
        self._marker = MarkerFile(reader.path)
        self._index: asyncio.Task[ArchiveIndex] | None = None
        self._uses = 0

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        wanted = [key for key in keys if key != MARKER_KEY]
        if len(wanted) < len(keys):
            marker = await off_loop(self._marker.read)
            if marker is not None:
                found[MARKER_KEY] = marker
        if wanted:
            index = await self._indexed()
            entries = await off_loop(lambda: [index.find(key) for key in wanted])
            found.update((entry.key, entry.value) for entry in entries if entry is not None)
        return found

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        index = await self._indexed()
        marker = await self._marked(prefix)
        if marker is None:
            return await off_loop(lambda: index.page(prefix, offset, limit))
        if offset:
            return await off_loop(lambda: index.page(prefix, offset - 1, limit))
        rest = None if limit is None else limit - 1
        return [marker.key, *await off_loop(lambda: index.page(prefix, 0, rest))]

    async def _count(self, prefix: str) -> int:
        marker = await self._marked(prefix)
        if not prefix:
            records = self._reader.end.count
        elif prefix.startswith(MARKER_KEY):
            records = 0  # an archive holds no marker, nor anything below one
        else:
            index = await self._indexed()
            records = len(await off_loop(lambda: index.span(prefix)))
        return records + (marker is not None)

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        async with aclosing(self._scan_many(prefix)) as chunks:
            async for chunk in chunks:
                for entry in chunk:
                    yield entry

    async def _scan_many(self, prefix: str) -> AsyncGenerator[Sequence[Entry], None]:
        marker = await self._marked(prefix)
        if marker is not None:
            yield [marker]
        entries = self._entries() if not prefix else await self._below(prefix)
        while chunk := await off_loop(lambda: list(islice(entries, _STEP))):
            yield chunk

    def _entries(self) -> Iterator[Entry]:
        return (entry for _, entry in self._reader.entries())

    async def _below(self, prefix: str) -> Iterator[Entry]:
        index = await self._indexed()
        span = await off_loop(lambda: index.span(prefix))
        return map(index.entry, span)

    async def _marked(self, prefix: str) -> Entry | None:
        marker = await off_loop(self._marker.read) if MARKER_KEY.startswith(prefix) else None
        return None if marker is None else Entry(MARKER_KEY, marker, MAX_POSITION)

    async def _indexed(self) -> ArchiveIndex:
        """Return the index, made by one task for all who wait for it; a failed one is made anew."""
        if self._index is None or (self._index.done() and not _is_good(self._index)):
            self._index = asyncio.create_task(off_loop(lambda: ArchiveIndex(self._reader)))
        return await asyncio.shield(self._index)

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        raise ReadOnlyError

    async def _clear(self) -> None:
        raise ReadOnlyError

    async def _close(self) -> None:
        if self._index is not None:
            await asyncio.wait([self._index])
            if not self._index.cancelled():
                self._index.exception()
        self._reader.close()


class MovingArchive(ArchiveEngine):
    """An archive as the source of a move: its records stay, its marker says where they went."""

    def __init__(self, reader: ArchiveReader, *, timeout: float = TIMEOUT_S) -> None:
        super().__init__(
            reader, timeout=timeout, capabilities=replace(CAPABILITIES, read_only=False)
        )

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        if fence is not None or any(each.key != MARKER_KEY for each in operations):
            raise ReadOnlyError
        for each in operations:
            marker = each.value if isinstance(each, Put) else None
            await off_loop(partial(self._marker.write, marker))


def _is_good(task: asyncio.Task[ArchiveIndex]) -> bool:
    return not task.cancelled() and task.exception() is None
