"""py-key-value-aio on the same server: a collection of JSON objects, without order or atomicity.

The idea: what a user of that library would write. It stores objects of JSON, so bytes go in as
base64; `put_many` writes the keys of a message together, as far as the store can.
"""

from __future__ import annotations

import warnings
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Protocol

from benchmarks.subject import Pair


class Store(Protocol):
    """The part of its interface that is used."""

    async def put_many(
        self, keys: Sequence[str], values: Sequence[dict[str, str]], *, collection: str
    ) -> None:
        """Write some objects."""

    async def get_many(
        self, keys: Sequence[str], *, collection: str
    ) -> list[dict[str, str] | None]:
        """Read some objects."""

    async def delete(self, key: str, *, collection: str) -> bool:
        """Remove one object."""

    async def close(self) -> None:
        """Let go of the backend."""


class KeyValuePeer:
    """One of its stores, doing the work of a client."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._collection = name

    async def put(self, pairs: Sequence[Pair]) -> None:
        """Write objects that hold the values in base64."""
        keys = [key for key, _ in pairs]
        values = [{"v": b64encode(value).decode()} for _, value in pairs]
        await self._store.put_many(keys, values, collection=self._collection)

    async def get_many(self, keys: Sequence[str]) -> int:
        """Read objects; what they hold stays in base64."""
        found = await self._store.get_many(keys, collection=self._collection)
        return sum(value is not None for value in found)

    async def delete(self, key: str) -> None:
        """Remove one object."""
        await self._store.delete(key, collection=self._collection)

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()


def on_redis(url: str) -> Store:
    """Use its store for Redis."""
    from key_value.aio.stores.redis import RedisStore

    return _quietly(lambda: RedisStore(url=url))


def on_mongo(url: str) -> Store:
    """Use its store for MongoDB; a replica set waits for majority and journal by default."""
    from key_value.aio.stores.mongodb import MongoDBStore

    return _quietly(lambda: MongoDBStore(url=url))


def on_postgres(url: str) -> Store:
    """Use its store for PostgreSQL."""
    from key_value.aio.stores.postgresql import PostgreSQLStore

    return _quietly(lambda: PostgreSQLStore(url=url))


def on_disk(folder: str) -> Store:
    """Use its store on SQLite by diskcache as it comes: `synchronous=NORMAL`, less than we do."""
    from key_value.aio.stores.disk import DiskStore

    return _quietly(lambda: DiskStore(directory=f"{folder}/disk"))


def on_synced_disk(folder: str) -> Store:
    """Use the same store on a diskcache that syncs as we do."""
    from diskcache import Cache
    from key_value.aio.stores.disk import DiskStore

    full = 2
    cache = Cache(f"{folder}/synced-disk", sqlite_synchronous=full, eviction_policy="none")
    return _quietly(lambda: DiskStore(disk_cache=cache))


def _quietly(make: Callable[[], Store]) -> Store:
    """Open a store without its warning that its layout may change: ours lives for minutes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return make()
