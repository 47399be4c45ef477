"""The floor of MongoDB: one document per key, one index in order, `w: majority, j: true`.

One document is atomic by itself; several go into a transaction, as `bulk_write` alone is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING, DESCENDING, AsyncMongoClient, ReplaceOne
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from benchmarks.floors.positions import Positions
from benchmarks.subject import Pair, group_of

DURABLE = WriteConcern(w="majority", j=True)
Document = Mapping[str, Any]


class MongoFloor:
    """A collection of its own: `_id` is the key, and `g, at, _id` an index that covers pages."""

    def __init__(self, client: AsyncMongoClient[Document], name: str) -> None:
        self._client = client
        self._collection = client["floor"].get_collection(name, write_concern=DURABLE)
        self._positions = Positions()

    @classmethod
    async def open(cls, url: str, name: str) -> MongoFloor:
        """Make the collection and its index."""
        client: AsyncMongoClient[Document] = AsyncMongoClient(url, tz_aware=False)
        floor = cls(client, name)
        order = [("g", ASCENDING), ("at", DESCENDING), ("_id", ASCENDING)]
        await floor._collection.create_index(order)
        return floor

    async def put(self, pairs: Sequence[Pair]) -> None:
        """Replace one document, or several in a transaction."""
        documents = [self._document(key, value) for key, value in pairs]
        if len(documents) == 1:
            one = documents[0]
            await self._collection.replace_one({"_id": one["_id"]}, one, upsert=True)
            return
        writes = [ReplaceOne({"_id": one["_id"]}, one, upsert=True) for one in documents]
        async with self._client.start_session() as session:
            transaction = await session.start_transaction(write_concern=DURABLE)
            async with transaction:
                plain = self._collection.with_options(write_concern=WriteConcern())
                await plain.bulk_write(writes, ordered=False, session=session)

    async def get_many(self, keys: Sequence[str]) -> int:
        """Find by `$in`."""
        found = await self._collection.find({"_id": {"$in": list(keys)}}).to_list()
        return len(found)

    async def delete(self, key: str) -> None:
        """Remove one document."""
        await self._collection.delete_one({"_id": key})

    async def page(self, prefix: str, offset: int, limit: int) -> list[str]:
        """Read the index alone."""
        cursor = self._collection.find(
            {"g": group_of(prefix)},
            {"_id": 1},
            sort=[("at", DESCENDING), ("_id", ASCENDING)],
            skip=offset,
            limit=limit,
        )
        return [one["_id"] for one in await cursor.to_list()]

    async def drop(self, key: str) -> None:
        """Remove a group in one transaction."""
        async with self._client.start_session() as session:
            transaction = await session.start_transaction(write_concern=DURABLE)
            async with transaction:
                plain = self._collection.with_options(write_concern=WriteConcern())
                await plain.delete_many({"g": group_of(key)}, session=session)

    async def scan(self) -> int:
        """Read the collection as it lies."""
        collection = self._collection.with_options(read_concern=ReadConcern("majority"))
        count = 0
        async for _ in collection.find({}, batch_size=1000):
            count += 1
        return count

    async def settle(self) -> None:
        """Write a checkpoint."""
        await self._client.admin.command("fsync")

    async def stored(self) -> int:
        """Add up the files of our databases and the floor's, after a checkpoint."""
        await self.settle()
        found = await self._client.admin.command("listDatabases")
        own = ("admin", "config", "local")
        return sum(int(one["sizeOnDisk"]) for one in found["databases"] if one["name"] not in own)

    async def close(self) -> None:
        """Close the client."""
        await self._client.close()

    def _document(self, key: str, value: bytes) -> dict[str, Any]:
        return {"_id": key, "g": group_of(key), "at": self._positions.take(), "v": value}
