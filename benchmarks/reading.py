"""Measurements of lists and of opening, where no value is read or written."""

from __future__ import annotations

from contextlib import asynccontextmanager
from time import perf_counter

from wa_core.storage import Batch, Engine, MemoryEngine, open_engine

from benchmarks.floors.files import walk
from benchmarks.item import Pair, Pairs, Side
from benchmarks.place import CHAT, Place, all_keys, chats

MESSAGES = f"chat/{CHAT}/message/"


def paging(engine: Engine, prefix: str, pages: int) -> Side:
    """Ask for the 50 newest keys under a prefix, again and again."""

    async def page() -> float:
        begun = perf_counter()
        for _ in range(pages):
            await engine.list(prefix, 0, 50)
        return (perf_counter() - begun) / pages

    return page


async def in_memory(*, messages: int, contacts: int = 0) -> Engine:
    """Fill a memory engine with keys."""
    engine = MemoryEngine()
    batch = Batch()
    for key in all_keys(messages=messages, contacts=contacts):
        batch.put(key, b"")
    await engine.apply(batch)
    return engine


@asynccontextmanager
async def page(place: Place) -> Pairs:
    """Look at the newest of everything."""
    sizes = place.sizes
    memory = await in_memory(messages=sizes.messages, contacts=sizes.contacts)
    async with await open_engine(chats(place)) as engine:
        yield Pair(paging(engine, "", sizes.pages), paging(memory, "", sizes.pages))


@asynccontextmanager
async def growth_in_memory(place: Place) -> Pairs:
    """Look at the newest of a chat that is a thousand times as long."""
    sizes = place.sizes
    large = await in_memory(messages=sizes.large_messages)
    small = await in_memory(messages=sizes.small_messages)
    yield Pair(paging(large, MESSAGES, sizes.pages), paging(small, MESSAGES, sizes.pages))


@asynccontextmanager
async def growth_in_files(place: Place) -> Pairs:
    """Look at the newest of a chat that is a thousand times as long, in files."""
    sizes = place.sizes
    large = place.store("large", messages=sizes.large_messages)
    small = place.store("small", messages=sizes.small_messages)
    async with (
        await open_engine(f"file:{large}?timeout=120") as one,
        await open_engine(f"file:{small}") as two,
    ):
        yield Pair(paging(one, MESSAGES, sizes.pages), paging(two, MESSAGES, sizes.pages))


def opening(base: str) -> Pair:
    """Open a folder as its writer, and walk it."""

    async def ours() -> float:
        begun = perf_counter()
        engine = await open_engine(f"file:{base}")
        seconds = perf_counter() - begun
        await engine.close()
        return seconds

    async def other() -> float:
        begun = perf_counter()
        walk(base)
        return perf_counter() - begun

    return Pair(ours, other)


@asynccontextmanager
async def open_own(place: Place) -> Pairs:
    """Open a store that the engine itself has written."""
    base = place.store("own")
    async with await open_engine(f"file:{base}?durability=process") as engine:
        keys = list(all_keys(messages=place.sizes.opened_messages))
        for begin in range(0, len(keys), 999):
            batch = Batch()
            for key in keys[begin : begin + 999]:
                batch.put(key, b"")
            await engine.apply(batch)
    yield opening(str(base))


@asynccontextmanager
async def open_adopted(place: Place) -> Pairs:
    """Open a store that some other program has filled, after it was adopted."""
    base = place.store("adopted", messages=place.sizes.opened_messages)
    yield opening(str(base))
