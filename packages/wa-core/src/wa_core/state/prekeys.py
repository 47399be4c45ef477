"""Pre-keys: the one-time keys that a peer's first message is sealed with.

Ids come from a counter that only grows, and the counter goes to the store in the same batch as the
keys it counts: an id never means two keys. What was made and not taken by the server is offered
again, instead of making more at every connect. Keys are removed only by the batch of the message
that used them, and by `prune`; nothing ever writes an old id anew.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Protocol

from wa_core.crypto.keypair import KeyPair
from wa_core.errors import CorruptRecordError, StorageError, UsageError
from wa_core.state.commits import Edit
from wa_core.state.creds import Creds, read_pair, spell_pair
from wa_core.state.identity import generate_key_pair
from wa_core.state.keystore import spelt
from wa_core.state.ledger import parse
from wa_core.state.shapes import ShapeError
from wa_core.state.transaction import Transaction
from wa_core.storage.layouts import key_of

KIND = "pre-key"
INITIAL = 812
"""How many the first offer holds, as Baileys has it."""
MOST = 2 * INITIAL
"""How many may be alive."""
LAST_ID = 0xFF_FFFF
"""Ids go on the wire in three bytes."""

_PREFIX = key_of(KIND, "-").removesuffix("-")


class Store(Protocol):
    """Where pre-keys lie, and the credentials that count them."""

    @property
    def creds(self) -> Creds:
        """The credentials."""

    async def get(self, keys: Collection[str]) -> dict[str, bytes]:
        """Read records."""

    async def keys(self, prefix: str) -> list[str]:
        """List keys."""

    async def put(self, values: dict[str, bytes | None], *edits: Edit) -> None:
        """Write records and credentials."""

    def transaction(self, names: Collection[str]) -> Transaction:
        """Make a transaction that locks names."""


class PreKeys:
    """Makes, offers and removes the pre-keys of one session."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def offer(
        self, count: int, *, generate: Callable[[], KeyPair] = generate_key_pair
    ) -> dict[int, KeyPair]:
        """Return `count` keys that the server has not taken yet, in the store before this returns.

        Call `taken` when the server has them; without that, the next offer is of the same keys.
        """
        if not 0 < count <= INITIAL:
            raise UsageError(f"an offer holds 1 to {INITIAL} pre-keys")
        async with self._store.transaction([KIND]):
            creds = self._store.creds
            first = creds.first_unuploaded_pre_key_id
            kept = await self._read(range(first, min(creds.next_pre_key_id, first + count)))
            made = await self._make(count - len(kept), generate)
            return kept | made

    async def taken(self, ids: Collection[int]) -> None:
        """Note that the server has these: they are not offered again."""
        after = max(ids, default=0) + 1

        def count(creds: Creds) -> Creds:
            if after > creds.next_pre_key_id:
                raise UsageError("the server cannot have pre-keys that were never made")
            first = max(creds.first_unuploaded_pre_key_id, after)
            return replace(creds, first_unuploaded_pre_key_id=first)

        async with self._store.transaction([KIND]):
            await self._store.put({}, count)

    async def prune(self, *, listed: Collection[int] = (), keep: int = MOST) -> list[int]:
        """Remove the oldest keys until `keep` are alive; return their ids.

        Never those that were not offered yet, nor, while others are left, those that the server
        says it still lists: a peer may be about to use them.
        """
        async with self._store.transaction([KIND]):
            alive = await self.alive()
            gone = self._oldest(alive, len(alive) - keep, frozenset(listed))
            await self._store.put({_key(ident): None for ident in gone})
            return gone

    async def alive(self) -> list[int]:
        """List the ids of the keys that are there, in ascending order."""
        found = [key.removeprefix(_PREFIX) for key in await self._store.keys(_PREFIX)]
        # A number is spelt as itself; what else lies there is not ours to touch.
        return sorted(int(ident) for ident in found if is_pre_key_id(ident))

    async def _make(self, count: int, generate: Callable[[], KeyPair]) -> dict[int, KeyPair]:
        if not count:
            return {}
        alive = await self.alive()
        # Baileys writes keys before the credentials that count them, and may die in between.
        first = max([self._store.creds.next_pre_key_id, *(ident + 1 for ident in alive[-1:])])
        after = first + count
        if after > LAST_ID:
            raise StorageError("this session has used up its pre-key ids: link the device anew")
        made = {ident: generate() for ident in range(first, after)}
        values = spelt({KIND: {str(ident): spell_pair(pair) for ident, pair in made.items()}})
        for ident in self._oldest(alive, len(alive) + count - MOST, frozenset()):
            values[_key(ident)] = None
        await self._store.put(values, lambda creds: replace(creds, next_pre_key_id=after))
        return made

    def _oldest(self, alive: list[int], count: int, listed: frozenset[int]) -> list[int]:
        """Choose keys to remove: of those the server had, the unlisted first, then by age."""
        first = self._store.creds.first_unuploaded_pre_key_id
        had = [ident for ident in alive if ident < first]
        return sorted(had, key=lambda ident: (ident in listed, ident))[: max(count, 0)]

    async def _read(self, ids: range) -> dict[int, KeyPair]:
        keys = {_key(ident): ident for ident in ids}
        found = await self._store.get(list(keys))
        return {ident: _pair(key, found[key]) for key, ident in keys.items() if key in found}


def is_pre_key_id(ident: str) -> bool:
    """Tell whether an id is one that a counter gives."""
    return ident.isascii() and ident.isdigit() and str(int(ident)) == ident


def _key(ident: int) -> str:
    return key_of(KIND, str(ident))


def _pair(key: str, data: bytes) -> KeyPair:
    try:
        return read_pair(parse(key, data))
    except ShapeError as exc:
        raise CorruptRecordError(key, str(exc)) from None
