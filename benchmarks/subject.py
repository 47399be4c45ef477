"""What is measured: anything that can do the work of a client, ours, a floor or a peer.

The idea: the work is written once, over these few methods; so all sides do the same, and what a
peer does not offer (order, cascade) is missing from its type and not merely from its table.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Protocol

Pair = tuple[str, bytes]
"""A key and its value."""


class KeyValue(Protocol):
    """Writes, reads and deletes by key."""

    async def put(self, pairs: Sequence[Pair]) -> None:
        """Write some values together, in one step where the subject can."""

    async def get_many(self, keys: Sequence[str]) -> int:
        """Read the values of those keys; return how many are there."""

    async def delete(self, key: str) -> None:
        """Remove one key."""

    async def close(self) -> None:
        """Let go of the backend."""


class Ordered(KeyValue, Protocol):
    """Keeps keys in order, too: what floors have and ours."""

    async def page(self, prefix: str, offset: int, limit: int) -> list[str]:
        """List keys under a prefix that is a group, newest first."""

    async def drop(self, key: str) -> None:
        """Remove all of a group: a chat and what is below it."""

    async def scan(self) -> int:
        """Read everything, keys, values and positions; return how many keys there are."""


class Floor(Ordered, Protocol):
    """A floor knows its backend, too."""

    async def settle(self) -> None:
        """Let the backend finish what it would have finished by itself in time."""

    async def stored(self) -> int:
        """Say how many bytes the whole backend holds, ours included."""


class Worker(Protocol):
    """Does work many times over and takes the seconds."""

    async def put_all(self, batches: Sequence[Sequence[Pair]]) -> float:
        """Write batch after batch."""

    async def get_all(self, batches: Sequence[Sequence[str]]) -> float:
        """Read batch after batch."""

    async def delete_all(self, keys: Sequence[str]) -> float:
        """Remove key after key."""


class Clocked:
    """A worker in this process: one call after the other, the clock around all of them."""

    def __init__(self, subject: KeyValue) -> None:
        self._subject = subject

    async def put_all(self, batches: Sequence[Sequence[Pair]]) -> float:
        """Write batch after batch."""
        put = self._subject.put
        begun = perf_counter()
        for batch in batches:
            await put(batch)
        return perf_counter() - begun

    async def get_all(self, batches: Sequence[Sequence[str]]) -> float:
        """Read batch after batch; all must be there."""
        get_many, found = self._subject.get_many, 0
        begun = perf_counter()
        for batch in batches:
            found += await get_many(batch)
        seconds = perf_counter() - begun
        if found != sum(map(len, batches)):
            raise RuntimeError(f"{type(self._subject).__name__} found {found} keys")
        return seconds

    async def delete_all(self, keys: Sequence[str]) -> float:
        """Remove key after key."""
        delete = self._subject.delete
        begun = perf_counter()
        for key in keys:
            await delete(key)
        return perf_counter() - begun


def group_of(key: str) -> str:
    """Name the group that a key or prefix is in: its chat, or its first segment."""
    first, _, rest = key.partition("/")
    return f"{first}/{rest.partition('/')[0]}" if first == "chat" else first
