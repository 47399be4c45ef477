"""The work of a real client, written once for all sides.

Each function does a fixed piece of it with one worker and returns the seconds of one operation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter

from benchmarks.datasets import MESSAGES, OTHERS, Amounts
from benchmarks.place import CREDENTIALS_BYTES, PART_BYTES, PARTS, PRE_KEY_BYTES
from benchmarks.rig import Rig
from benchmarks.subject import KeyValue, Ordered, Pair, Worker

Work = Callable[[Worker, Rig], Awaitable[float]]
PAGE = 50
BURST = 50
DOOMED = "chat/99911111111@s.whatsapp.net"


async def credentials(worker: Worker, rig: Rig) -> float:
    """Save the credentials, as after every handshake."""
    saves = rig.amounts.saves
    value = rig.value(CREDENTIALS_BYTES)
    return await worker.put_all([[("session/creds", value)]] * saves) / saves


async def pre_keys(worker: Worker, rig: Rig) -> float:
    """Write stocks of new pre-keys."""
    batches = [_stock(rig) for _ in range(rig.amounts.batches)]
    return await worker.put_all(batches) / len(batches)


async def read_pre_keys(worker: Worker, rig: Rig) -> float:
    """Read some pre-keys of a stock together."""
    stock = _stock(rig)
    await worker.put_all([stock])
    wanted = [key for key, _ in stock[: rig.amounts.read_at_once]]
    return await worker.get_all([wanted] * rig.amounts.reads) / rig.amounts.reads


async def delete_pre_keys(worker: Worker, rig: Rig) -> float:
    """Remove pre-keys one by one, as they are used up."""
    stock = _stock(rig)
    await worker.put_all([stock])
    used = [key for key, _ in stock[: rig.amounts.deletes]]
    return await worker.delete_all(used) / len(used)


async def ingest(worker: Worker, rig: Rig) -> float:
    """Write messages, three keys each in one batch."""
    count = rig.amounts.ingests
    batches = [_message(f"{MESSAGES}3EB1{rig.fresh():012X}", rig) for _ in range(count)]
    return await worker.put_all(batches) / count


async def burst(worker: Worker, rig: Rig) -> float:
    """Write the messages that wait after a reconnect, all in one batch."""
    bursts = [
        [pair for _ in range(BURST) for pair in _message(f"{MESSAGES}3EB3{rig.fresh():012X}", rig)]
        for _ in range(rig.amounts.batches)
    ]
    return await worker.put_all(bursts) / len(bursts) / BURST


def pages(
    subject: Ordered, prefix: str, offset: int, amounts: Amounts
) -> Callable[[], Awaitable[float]]:
    """Ask for the same page again and again; it must be full."""

    async def ask() -> float:
        begun = perf_counter()
        for _ in range(amounts.pages):
            found = await subject.page(prefix, offset, PAGE)
        seconds = perf_counter() - begun
        if len(found) != PAGE:
            raise RuntimeError(f"{type(subject).__name__} lists {len(found)} keys at {offset}")
        return seconds / amounts.pages

    return ask


async def cascade(subject: Ordered, rig: Rig) -> float:
    """Remove a chat with all its messages, after it was written anew."""
    for begin in range(0, rig.amounts.doomed, 300):
        messages = range(begin, min(begin + 300, rig.amounts.doomed))
        names = (f"{DOOMED}/message/3EB0{number:012X}" for number in messages)
        await subject.put([pair for name in names for pair in _message(name, rig)])
    begun = perf_counter()
    await subject.drop(DOOMED)
    return perf_counter() - begun


async def scan(subject: Ordered, rig: Rig) -> float:
    """Read everything once."""
    begun = perf_counter()
    count = await subject.scan()
    seconds = perf_counter() - begun
    if count != rig.amounts.others:
        raise RuntimeError(f"{type(subject).__name__} scans {count} keys of {OTHERS.name}")
    return seconds


async def weigh(subject: KeyValue, rig: Rig, stored: Callable[[], Awaitable[int]]) -> float:
    """Write values of 1 KB, and return the bytes that each key takes beside its value."""
    before, count = await stored(), rig.amounts.weighed
    for begin in range(0, count, 300):
        numbers = range(begin, min(begin + 300, count))
        await subject.put(
            [(f"{MESSAGES}3EB2{number:012X}/raw", rig.value(1024)) for number in numbers]
        )
    return (await stored() - before) / count - 1024


def _stock(rig: Rig) -> list[Pair]:
    value = rig.value(PRE_KEY_BYTES)
    return [(f"session/pre-key/{rig.fresh()}", value) for _ in range(rig.amounts.pre_keys)]


def _message(name: str, rig: Rig) -> list[Pair]:
    sizes = zip(PARTS, PART_BYTES, strict=True)
    return [(f"{name}/{part}", rig.value(size)) for part, size in sizes]
