"""Measurements of writes: each against a floor that writes file by file.

Every side has a folder of its own, equally full, on the same file system.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from time import perf_counter

from wa_core.storage import Batch, Engine, open_engine

from benchmarks.floors.files import TemporaryThenRename
from benchmarks.item import Pair, Pairs, Side
from benchmarks.place import CREDENTIALS_BYTES, PRE_KEY_BYTES, Place, chats, spelled


@asynccontextmanager
async def credentials(place: Place) -> Pairs:
    """Save the credentials again and again, as a client does after every handshake."""
    floor = TemporaryThenRename(place.store("credentials-floor"), synced=True)
    floor.make_folders(["session"])
    values = [place.value(CREDENTIALS_BYTES) for _ in range(place.sizes.saves)]

    async def other() -> float:
        begun = perf_counter()
        for value in values:
            floor.write("session/creds", value)
        return (perf_counter() - begun) / len(values)

    async with await open_engine(
        f"file:{place.store('credentials')}{place.sizes.promise}"
    ) as engine:

        async def ours() -> float:
            begun = perf_counter()
            for value in values:
                await engine.set("session/creds", value)
            return (perf_counter() - begun) / len(values)

        yield Pair(ours, other)


@asynccontextmanager
async def pre_keys(place: Place) -> Pairs:
    """Write a stock of new pre-keys, as pairing and every top-up do."""
    floor = TemporaryThenRename(place.store("pre-keys-floor"), synced=True)
    floor.make_folders(["session/pre-key"])
    count, batches = place.sizes.pre_keys, place.sizes.pre_key_batches
    value = place.value(PRE_KEY_BYTES)
    next_id = {"ours": 0, "other": 0}

    def names(side: str) -> list[str]:
        next_id[side] += count
        return [f"session/pre-key/{next_id[side] - number}" for number in range(count)]

    async def other() -> float:
        begun = perf_counter()
        for _ in range(batches):
            for name in names("other"):
                floor.write(name, value)
        return (perf_counter() - begun) / batches

    async with await open_engine(f"file:{place.store('pre-keys')}{place.sizes.promise}") as engine:

        async def ours() -> float:
            begun = perf_counter()
            for _ in range(batches):
                batch = Batch()
                for name in names("ours"):
                    batch.put(name, value)
                await engine.apply(batch)
            return (perf_counter() - begun) / batches

        yield Pair(ours, other)


def floor_of_ingest(place: Place, *, synced: bool, count: int) -> Side:
    """Ingest messages without an engine, into a folder that is as full as the engine's."""
    base = place.store("chats-floor", messages=place.sizes.messages)
    floor = TemporaryThenRename(base, synced=synced)

    async def other() -> float:
        messages = [place.next_message() for _ in range(count)]
        begun = perf_counter()
        for message in messages:
            folder = spelled(message)
            floor.make_folder(folder)
            for name, value in place.parts:
                floor.write(f"{folder}/{name}", value)
        return (perf_counter() - begun) / count

    return other


async def ingest_into(engine: Engine, place: Place, count: int) -> float:
    """Ingest new messages one by one; return the seconds of all of them."""
    messages = [place.next_message() for _ in range(count)]
    begun = perf_counter()
    for message in messages:
        await engine.apply(place.batch(message))
    return perf_counter() - begun


@asynccontextmanager
async def ingest(place: Place) -> Pairs:
    """Ingest messages, each durable before the next."""
    count = place.sizes.ingests
    async with await open_engine(chats(place) + place.sizes.promise) as engine:

        async def ours() -> float:
            return await ingest_into(engine, place, count) / count

        yield Pair(ours, floor_of_ingest(place, synced=True, count=count))


@asynccontextmanager
async def ingest_to_the_end(place: Place) -> Pairs:
    """Ingest, and close: what the engine put off until later is paid for too."""
    count, url = place.sizes.ingests_to_the_end, chats(place) + place.sizes.promise

    async def ours() -> float:
        engine = await open_engine(url)
        seconds = await ingest_into(engine, place, count)
        begun = perf_counter()
        await engine.close()
        return (seconds + perf_counter() - begun) / count

    yield Pair(ours, floor_of_ingest(place, synced=True, count=count))


@asynccontextmanager
async def ingest_unsynced(place: Place) -> Pairs:
    """Ingest at durability=process."""
    count = place.sizes.ingests_unsynced
    async with await open_engine(f"{chats(place)}?durability=process") as engine:

        async def ours() -> float:
            return await ingest_into(engine, place, count) / count

        yield Pair(ours, floor_of_ingest(place, synced=False, count=count))
