"""What a seal costs: the same work on the same engine, with `seal=` and without."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter

from wa_core.seal import SealedEngine, new_key
from wa_core.storage import Batch, Engine, MemoryEngine, open_engine

from benchmarks.item import Pair, Pairs, Side
from benchmarks.place import CREDENTIALS_BYTES, Place

RECORDS = 100
_VARIABLE = "WA_BENCH_KEY"


@asynccontextmanager
async def in_memory(place: Place) -> Pairs:
    """Write and read records where nothing else costs anything."""
    key = new_key()
    plain = MemoryEngine()
    async with plain, await SealedEngine.open(MemoryEngine(), lambda: key) as sealed:
        yield Pair(_round_trips(sealed, place), _round_trips(plain, place))


@asynccontextmanager
async def in_files(place: Place) -> Pairs:
    """Write and read records as a client keeps them, each batch durable."""
    async with _twice(f"file:{place.store('seal')}", f"file:{place.store('seal-floor')}") as pair:
        yield Pair(*(_round_trips(engine, place) for engine in pair))


@asynccontextmanager
async def in_sqlite(place: Place) -> Pairs:
    """Write and read records in one file."""
    folder = place.store("seal-sqlite")
    async with _twice(f"sqlite:{folder}/sealed.db", f"sqlite:{folder}/plain.db") as pair:
        yield Pair(*(_round_trips(engine, place) for engine in pair))


@asynccontextmanager
async def _twice(sealed: str, plain: str) -> AsyncIterator[tuple[Engine, Engine]]:
    os.environ[_VARIABLE] = new_key()
    async with (
        await open_engine(f"{sealed}?seal=env:{_VARIABLE}") as one,
        await open_engine(plain) as other,
    ):
        yield one, other


def _round_trips(engine: Engine, place: Place) -> Side:
    """Write a batch of records and read them again; the seconds of one record."""
    values = {f"session/pre-key/{n}": place.value(CREDENTIALS_BYTES) for n in range(RECORDS)}
    turns = place.sizes.pre_key_batches

    async def side() -> float:
        begun = perf_counter()
        for _ in range(turns):
            batch = Batch()
            for key, value in values.items():
                batch.put(key, value)
            await engine.apply(batch)
            await engine.get_many(values)
        return (perf_counter() - begun) / turns / RECORDS

    return side
