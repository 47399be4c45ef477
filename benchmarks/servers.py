"""The measurements of engines on servers, as one table for each kind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

from benchmarks import work
from benchmarks.datasets import FEW, LONG, MANY, MESSAGES, MOST, OTHERS, SHORT, STATE, Dataset
from benchmarks.item import Item, Pair, Rival, Sense, Unit
from benchmarks.kinds import Kind
from benchmarks.rig import Rig
from benchmarks.subject import Clocked, Worker

PAGE_100 = 99 * work.PAGE
WRITES: tuple[tuple[str, str, work.Work, Dataset], ...] = (
    ("credentials", "save the credentials, 4 KB", work.credentials, STATE),
    ("pre-keys", "write 100 pre-keys in one batch", work.pre_keys, STATE),
    ("delete", "delete 1 pre-key", work.delete_pre_keys, STATE),
    ("ingest-1000", "ingest a message into a chat of 1,000", work.ingest, SHORT),
    ("ingest-50000", "ingest a message into a chat of 50,000", work.ingest, LONG),
    ("burst", "a message, 50 in one batch, into a chat of 50,000", work.burst, LONG),
)
READ = ("read", "read 30 pre-keys together", work.read_pre_keys, STATE)
SYNCED = (Rival.KEY_VALUE_SYNCED, Rival.BAILEYS_SYNCED)
WEIGHTY = (work.credentials, work.ingest, work.burst)
"""What is measured against a peer that was made to keep our promise."""
PAGES: tuple[tuple[str, str, Dataset, int], ...] = (
    ("page-1000", "newest page, 50 of 1,000 keys", FEW, 0),
    ("page-50000", "newest page, 50 of 50,000 keys", MANY, 0),
    ("page-500000", "newest page, 50 of 500,000 keys", MOST, 0),
    ("last-1000", "page 20, the last, of 1,000 keys", FEW, 19 * work.PAGE),
    ("page-100-50000", "page 100 of 50,000 keys", MANY, PAGE_100),
    ("page-100-500000", "page 100 of 500,000 keys", MOST, PAGE_100),
)
AGAINST = {
    Rival.FLOOR: "raw calls of the driver",
    Rival.KEY_VALUE: "py-key-value-aio, a store on the same server",
    Rival.KEY_VALUE_SYNCED: "the same, with `synchronous=FULL`",
    Rival.BAILEYS: "Baileys' multi-file state under Node, unsynced",
    Rival.BAILEYS_SYNCED: "the same, files and folder synced after each call",
}


def items(kind: Kind) -> Iterator[Item[Rig]]:
    """List what is measured for a kind; what weighs comes first, while the backend is new."""
    yield Item(
        name="bytes",
        title="bytes stored per key beside a value of 1 KB",
        against=AGAINST[Rival.FLOOR],
        sense=Sense.COST,
        target=None,
        prepare=_weighed,
        unit=Unit.BYTES,
    )
    yield from _against_the_floor(kind)
    for rival in _peers(kind):
        for name, title, action, dataset in (*WRITES, READ):
            if rival in SYNCED and action not in WEIGHTY:
                continue
            yield Item(
                name=name,
                title=title,
                against=AGAINST[rival],
                sense=Sense.SPEED,
                target=_peer_target(kind, rival) if name == "ingest-50000" else None,
                prepare=partial(_working, action, dataset, rival),
                rival=rival,
                writes=action is not work.read_pre_keys,
            )


def _peers(kind: Kind) -> Iterator[Rival]:
    """Name the peers of a kind: as they come, and where they promise less, made to sync as well."""
    if kind.open_store:
        yield Rival.KEY_VALUE
    if kind.open_synced_store:
        yield Rival.KEY_VALUE_SYNCED
    yield from (Rival.BAILEYS, Rival.BAILEYS_SYNCED)


def _peer_target(kind: Kind, rival: Rival) -> float | None:
    """Return what the ingest of a message must reach."""
    if rival is Rival.BAILEYS:
        return 5.0
    alike = Rival.KEY_VALUE_SYNCED if kind.open_synced_store else Rival.KEY_VALUE
    return 1.0 if rival is alike else None


def _against_the_floor(kind: Kind) -> Iterator[Item[Rig]]:
    against = AGAINST[Rival.FLOOR]
    for name, title, action, dataset in (*WRITES, READ):
        writes = action is not work.read_pre_keys
        yield Item(
            name=name,
            title=title,
            against=against,
            sense=Sense.SPEED,
            target=kind.write_target if writes else None,
            prepare=partial(_working, action, dataset, Rival.FLOOR),
            writes=writes,
        )
    for name, title, dataset, offset in PAGES:
        yield _reading(name, title, 2, partial(_paged, dataset, MESSAGES, offset))
    yield _reading(
        "contacts",
        "newest page of `contact/` among 200,000 keys",
        2,
        partial(_paged, LONG, "contact/", 0),
    )
    yield Item(
        name="growth",
        title="newest page of 500,000 keys",
        against="our own newest page of 1,000 keys",
        sense=Sense.COST,
        target=2,
        prepare=_grown,
    )
    yield _reading("scan", "scan 100,000 keys", None, _scanned)
    yield Item(
        name="cascade",
        title="delete a chat of 10,000 messages among 100,000 other keys",
        against=against,
        sense=Sense.COST,
        target=3,
        prepare=_cascaded,
        writes=True,
    )


def _reading(
    name: str,
    title: str,
    target: float | None,
    prepare: Callable[[Rig], AbstractAsyncContextManager[Pair]],
) -> Item[Rig]:
    return Item(
        name=name,
        title=title,
        against=AGAINST[Rival.FLOOR],
        sense=Sense.COST,
        target=target,
        prepare=prepare,
    )


async def _worker(rig: Rig, rival: Rival, dataset: Dataset) -> Worker:
    if rival is Rival.KEY_VALUE:
        return await rig.key_value(dataset, rig.kind.open_store)
    if rival is Rival.KEY_VALUE_SYNCED:
        return await rig.key_value(dataset, rig.kind.open_synced_store)
    if rival is Rival.BAILEYS:
        return await rig.baileys(dataset)
    if rival is Rival.BAILEYS_SYNCED:
        return (await rig.baileys(dataset)).synced
    return Clocked(await rig.floor(dataset))


@asynccontextmanager
async def _working(
    action: work.Work, dataset: Dataset, rival: Rival, rig: Rig
) -> AsyncIterator[Pair]:
    ours, other = Clocked(await rig.ours(dataset)), await _worker(rig, rival, dataset)
    yield Pair(partial(action, ours, rig), partial(action, other, rig))


@asynccontextmanager
async def _paged(dataset: Dataset, prefix: str, offset: int, rig: Rig) -> AsyncIterator[Pair]:
    ours, floor = await rig.ours(dataset), await rig.floor(dataset)
    amounts = rig.amounts
    # Tiny amounts have no page 100: then it is the last.
    offset = min(offset, sum(1 for _ in dataset.keys(amounts)) - work.PAGE)
    yield Pair(
        work.pages(ours, prefix, offset, amounts), work.pages(floor, prefix, offset, amounts)
    )


@asynccontextmanager
async def _grown(rig: Rig) -> AsyncIterator[Pair]:
    large, small = await rig.ours(MOST), await rig.ours(FEW)
    amounts = rig.amounts
    yield Pair(work.pages(large, MESSAGES, 0, amounts), work.pages(small, MESSAGES, 0, amounts))


@asynccontextmanager
async def _scanned(rig: Rig) -> AsyncIterator[Pair]:
    ours, floor = await rig.ours(OTHERS), await rig.floor(OTHERS)
    yield Pair(partial(work.scan, ours, rig), partial(work.scan, floor, rig))


@asynccontextmanager
async def _cascaded(rig: Rig) -> AsyncIterator[Pair]:
    ours, floor = await rig.ours(OTHERS), await rig.floor(OTHERS)
    yield Pair(partial(work.cascade, ours, rig), partial(work.cascade, floor, rig))


@asynccontextmanager
async def _weighed(rig: Rig) -> AsyncIterator[Pair]:
    weights = Dataset("weights", lambda amounts: iter(()))
    ours, floor = await rig.ours(weights), await rig.floor(weights)
    yield Pair(
        partial(work.weigh, ours, rig, floor.stored), partial(work.weigh, floor, rig, floor.stored)
    )
