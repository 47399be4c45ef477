"""An archive that is being filled by a move: what is put there waits, and is written whole.

To the move it is an empty store with a marker. `complete` is what a store does not have: from there
on the archive lies under its name, and a fresh reader can prove it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from functools import partial

from wa_core.archive.capture import write
from wa_core.archive.engine import CAPABILITIES, TIMEOUT_S
from wa_core.archive.frames import About
from wa_core.archive.offloop import off_loop
from wa_core.archive.place import MARKER_KEY, MarkerFile
from wa_core.archive.staging import Staging
from wa_core.crypto.derivation import STRONG, Cost, Secret
from wa_core.errors import UnsupportedError
from wa_core.storage import MAX_POSITION, Engine, Entry, Lease, Operation, Put


class ArchiveTarget(Engine):
    """Takes records in any order, each once, and the marker of the move at any time."""

    def __init__(self, path: str, secret: Secret, about: About, *, cost: Cost = STRONG) -> None:
        super().__init__(replace(CAPABILITIES, read_only=False), timeout=TIMEOUT_S)
        self._path = path
        self._secret = secret
        self._about = about
        self._cost = cost
        self._marker = MarkerFile(path)
        self._staging: Staging | None = None

    async def complete(self) -> None:
        """Write the archive; one that an earlier run left under the name is replaced."""
        staging = await self._staged()
        entries = await off_loop(staging.merged)
        await write(entries, self._path, self._secret, self._about, cost=self._cost, replaces=True)

    async def _staged(self) -> Staging:
        if self._staging is None:
            folder = os.path.dirname(self._path) or "."
            self._staging = await off_loop(lambda: Staging(folder), undo=Staging.close)
        return self._staging

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        marker = await off_loop(self._marker.read) if MARKER_KEY in keys else None
        return {} if marker is None else {MARKER_KEY: marker}

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        if fence is not None:
            raise UnsupportedError("leases")
        entries: list[Entry] = []
        for operation in operations:
            value = operation.value if isinstance(operation, Put) else None
            if operation.key == MARKER_KEY:
                await off_loop(partial(self._marker.write, value))
            elif isinstance(operation, Put):
                entries.append(Entry(operation.key, operation.value, operation.at or 0))
            else:
                raise UnsupportedError("deletes: it is written once")
        if entries:
            staging = await self._staged()
            await off_loop(lambda: staging.add_all(entries))

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        found = [entry.key async for entry in self._scan(prefix)]
        return found[offset : None if limit is None else offset + limit]

    async def _count(self, prefix: str) -> int:
        return len(await self._list(prefix, 0, None))

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        marker = await off_loop(self._marker.read) if MARKER_KEY.startswith(prefix) else None
        if marker is not None:
            yield Entry(MARKER_KEY, marker, MAX_POSITION)

    async def _clear(self) -> None:
        raise UnsupportedError("deletes: it is written once")

    async def _close(self) -> None:
        if self._staging is not None:
            self._staging.close()
