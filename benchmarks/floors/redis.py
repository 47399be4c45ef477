"""The floor of Redis: `MSET` and `ZADD` in one loaded script, a page by `ZRANGE`.

`MULTI` was measured too: a message takes it a tenth longer, as redis-py packs four commands for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from redis.asyncio import Redis

from benchmarks.floors.positions import Positions
from benchmarks.subject import Pair, group_of

AT_ONCE = 1000
"""Keys of one command: more would hold up the server, and our own packing too."""


WRITE = """
local values, entries = {}, {}
for i = 2, #KEYS do
    local at = 3 * (i - 2)
    values[#values + 1], values[#values + 2] = KEYS[i], ARGV[at + 1]
    entries[#entries + 1], entries[#entries + 2] = ARGV[at + 2], ARGV[at + 3]
end
redis.call('MSET', unpack(values))
redis.call('ZADD', KEYS[1], unpack(entries))
"""
DROP = """
local members = redis.call('ZRANGE', KEYS[1], 0, -1)
for begin = 1, #members, 1000 do
    local keys = {}
    for i = begin, math.min(begin + 999, #members) do
        keys[#keys + 1] = ARGV[1] .. members[i]
    end
    redis.call('UNLINK', unpack(keys))
end
redis.call('UNLINK', KEYS[1])
"""


class RedisFloor:
    """Plain strings, and a sorted set for each group."""

    def __init__(self, redis: Redis, name: str, scripts: tuple[str, str]) -> None:
        # The types of redis-py are unions of all that any protocol may answer.
        self._redis: Any = redis
        self._name = name
        self._write, self._drop = scripts
        self._indexes: set[str] = set()
        self._positions = Positions()

    @classmethod
    async def open(cls, url: str, name: str) -> RedisFloor:
        """Load the scripts."""
        redis = Redis.from_url(url)
        scripts = await redis.script_load(WRITE), await redis.script_load(DROP)
        return cls(redis, f"floor-{name}", scripts)

    async def put(self, pairs: Sequence[Pair]) -> None:
        """Write values and their index entries, one script for each run of keys of one group."""
        for index, run in groupby(pairs, lambda pair: self._index(pair[0])):
            self._indexes.add(index)
            keys, arguments = [index], list[Any]()
            for key, value in run:
                keys.append(self._value(key))
                arguments += (value, self._positions.take(), key)
            await self._redis.evalsha(self._write, len(keys), *keys, *arguments)

    async def get_many(self, keys: Sequence[str]) -> int:
        """Read by one MGET."""
        found = await self._redis.mget([self._value(key) for key in keys])
        return sum(value is not None for value in found)

    async def delete(self, key: str) -> None:
        """Remove the value and its entry in one MULTI."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.unlink(self._value(key))
            pipe.zrem(self._index(key), key)
            await pipe.execute()

    async def page(self, prefix: str, offset: int, limit: int) -> list[str]:
        """Ask the sorted set of the group."""
        index = self._index(prefix)
        found = await self._redis.zrange(index, offset, offset + limit - 1, desc=True)
        return [key.decode() for key in found]

    async def drop(self, key: str) -> None:
        """Remove the values that the sorted set names, and the set, by one script."""
        await self._redis.evalsha(self._drop, 1, self._index(key), self._value(""))

    async def scan(self) -> int:
        """Walk each sorted set, and read the values of a thousand members at a time."""
        count = 0
        for index in self._indexes:
            size = await self._redis.zcard(index)
            for begin in range(0, size, AT_ONCE):
                found = await self._redis.zrange(index, begin, begin + AT_ONCE - 1, withscores=True)
                values = await self._redis.mget([self._value(key.decode()) for key, _ in found])
                count += sum(value is not None for value in values)
        return count

    async def settle(self) -> None:
        """Nothing is put off: the log is synced before every answer."""

    async def stored(self) -> int:
        """Ask for the memory in use."""
        return int((await self._redis.info("memory"))["used_memory"])

    async def close(self) -> None:
        """Close the pool."""
        await self._redis.aclose()

    def _value(self, key: str) -> str:
        return f"{self._name}:{key}"

    def _index(self, key: str) -> str:
        return f"{self._name}|{group_of(key)}"
