"""Restore is not rewind: what of an archive comes back, and what must not.

A ratchet that goes back to where it stood uses message keys a second time, and peers throw away
what it sends. So the ratchets stay behind; new ones are set up with the next message. Pre-keys stay
behind, too: some were used since, and their private halves must not come back. Their ids are never
given again, for a peer may still hold the old key of an id: the counter of the credentials jumps.

An archive that is the last state of its session brings everything: nothing went on from there.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from wa_core.errors import CorruptRecordError
from wa_core.state.ledger import parse
from wa_core.state.moves import MOVE_KEY
from wa_core.state.prekeys import KIND as PRE_KEY
from wa_core.state.prekeys import LAST_ID
from wa_core.storage import Engine, Entry, WrapperEngine
from wa_core.storage.layouts import CREDS, dumps, record_of

RATCHETS = ("session", "sender-key", "sender-key-memory")
STAYS_BEHIND = frozenset({*RATCHETS, PRE_KEY})
ID_GAP = 2**16
"""How far the pre-key counter jumps: eighty full offers, more than any session makes in years."""


def comes_back(key: str) -> bool:
    """Tell whether a record of an ordinary archive is restored; unknown ones are."""
    record = record_of(key)
    return record is None or record[0] not in STAYS_BEHIND


class Reborn(WrapperEngine):
    """An archive as the session that can be begun from it anew; for reading."""

    def __init__(self, inner: Engine, *, records: int, ratchets: bool, hides_marker: bool) -> None:
        super().__init__(inner)
        self._records = records
        self._ratchets = ratchets
        self._hides_marker = hides_marker

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found = await self.inner.get_many(key for key in keys if self._shows(key))
        if CREDS in found:
            found[CREDS] = self._creds(found[CREDS])
        return found

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        shown = [key for key in await self.inner.list(prefix, 0, None) if self._shows(key)]
        return shown[offset : None if limit is None else offset + limit]

    async def _count(self, prefix: str) -> int:
        if prefix.startswith(MOVE_KEY):
            return 0 if self._hides_marker else await self.inner.count(prefix)
        if prefix:
            return len(await self._list(prefix, 0, None))
        return self._records + (await self.get(MOVE_KEY) is not None)

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        async with aclosing(self._scan_many(prefix)) as pages:
            async for page in pages:
                for entry in page:
                    yield entry

    async def _scan_many(self, prefix: str) -> AsyncGenerator[Sequence[Entry], None]:
        async with aclosing(self.inner.scan_many(prefix)) as pages:
            async for page in pages:
                yield [self._entry(entry) for entry in page if self._shows(entry.key)]

    def _entry(self, entry: Entry) -> Entry:
        return replace(entry, value=self._creds(entry.value)) if entry.key == CREDS else entry

    def _shows(self, key: str) -> bool:
        if key == MOVE_KEY:
            return not self._hides_marker
        return self._ratchets or comes_back(key)

    def _creds(self, value: bytes) -> bytes:
        return value if self._ratchets else reborn_creds(value)


def reborn_creds(value: bytes) -> bytes:
    """Let the counters of pre-keys jump: no id is given twice, and none waits to be offered."""
    creds = parse(CREDS, value)
    if not isinstance(creds, dict):
        raise CorruptRecordError(CREDS, "it is no object of JSON")
    counted = (creds.get("nextPreKeyId"), creds.get("firstUnuploadedPreKeyId"))
    after = max([1, *(count for count in counted if isinstance(count, int))])
    first = min(after + ID_GAP, LAST_ID)
    return dumps({**creds, "nextPreKeyId": first, "firstUnuploadedPreKeyId": first})
