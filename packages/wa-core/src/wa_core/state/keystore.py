"""The keys of a session: Baileys' `SignalKeyStore`, by kind and id.

Values are what BufferJSON holds, buffers as `bytes`. A kind that is not known passes through like
any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wa_core.errors import UsageError
from wa_core.state.ledger import Ledger, parse
from wa_core.storage.layouts import dumps, key_of, record_of

KeyChanges = Mapping[str, Mapping[str, object]]
"""`{kind: {id: value}}`, where None deletes."""


class KeyStore:
    """Reads and writes records; within a transaction, of it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def get(self, kind: str, ids: Iterable[str]) -> dict[str, Any]:
        """Return the values that are there, by id; each is the caller's own copy."""
        wanted = {key_of(kind, ident): ident for ident in ids}
        found = await self._ledger.get(wanted)
        values = {ident: parse(key, found[key]) for key, ident in wanted.items() if key in found}
        # A stored null is what Baileys reads as absent.
        return {ident: value for ident, value in values.items() if value is not None}

    async def set(self, changes: KeyChanges) -> None:
        """Write and delete records, as one batch."""
        await self._ledger.put(spelt(changes))

    async def ids(self, kind: str) -> list[str]:
        """List the ids of a kind."""
        prefix = key_of(kind, "-").removesuffix("-")
        records = map(record_of, await self._ledger.keys(prefix))
        return [record[1] for record in records if record is not None]

    async def clear(self) -> None:
        """Delete every record but the credentials."""
        await self._ledger.clear()


def spelt(changes: KeyChanges) -> dict[str, bytes | None]:
    """Spell records as keys and bytes."""
    values: dict[str, bytes | None] = {}
    for kind, records in changes.items():
        for ident, value in records.items():
            if not isinstance(ident, str):
                raise UsageError(f"the id of a record is text, not {type(ident).__name__}")
            values[key_of(kind, ident)] = None if value is None else dumps(value)
    return values
