"""One of the processes that fight for a lease: `... TARGET SESSION NAME TTL SEED`.

Told to `fight`, it tries to acquire, writes numbered records under the epoch it got until it is
fenced, and tries again; told to `rest`, it releases. It says all that happens to it, a line each.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from wa_core.errors import EngineUnavailableError, FencedError, LeaseHeldError
from wa_core.storage import Batch, Engine, Lease

from wa_conformance.target import parse_target
from wa_conformance.writer import say

TURN = "turn"
LOG = "log"
PLACES = 5
RELEASED = 0.02
"""How often a holder lets go by itself, per write."""


def record(epoch: int, number: int) -> str:
    """Name the record that the holder of an epoch writes as its so-manieth."""
    return f"{LOG}/{epoch}/{number}"


def batch_of(epoch: int, number: int, name: str) -> Batch:
    """Build the batch: the record, and places that every holder writes and deletes."""
    text = f"{epoch}/{number}"
    batch = Batch().put(TURN, text).delete(f"place/{number % PLACES}")
    batch.put(f"place/{number % PLACES}/{name}", text)
    return batch.put(record(epoch, number), name)


@dataclass
class Fighter:
    """A process on the session: its engine, its dice, and whether it is to fight."""

    engine: Engine
    name: str
    ttl: float
    dice: random.Random
    fighting: asyncio.Event = field(default_factory=asyncio.Event)

    async def obey(self, reader: asyncio.StreamReader) -> None:
        """Do what the lines of the input say, until it ends."""
        fight = asyncio.ensure_future(self.live())
        try:
            say("ready")
            while line := await reader.readline():
                if line.strip() == b"fight":
                    self.fighting.set()
                else:
                    self.fighting.clear()
        finally:
            fight.cancel()
            await asyncio.gather(fight, return_exceptions=True)

    async def live(self) -> None:
        """Fight and rest; an error that a fight cannot end with is said, and is the end."""
        try:
            while True:
                await self.fighting.wait()
                while self.fighting.is_set():
                    await self.try_to_win()
                say("resting")
        except Exception as exc:
            say("broken", type(exc).__name__, str(exc).replace("\n", " "))

    async def try_to_win(self) -> None:
        """Try to acquire once, and hold what was won."""
        try:
            lease = await self.engine.acquire(self.name, self.ttl)
        except (LeaseHeldError, EngineUnavailableError):
            await asyncio.sleep(self.dice.uniform(0.005, 0.03))
            return
        seen = await self.last_turn()
        say("won", lease.epoch, seen)
        await self.hold(lease)

    async def last_turn(self) -> str:
        """Read what was written last before us."""
        while True:
            try:
                return (await self.engine.get(TURN) or b"0/0").decode()
            except EngineUnavailableError:
                continue

    async def hold(self, lease: Lease) -> None:
        """Write under the lease until it is lost or there is no more fight."""
        number = 0
        while self.fighting.is_set() and self.dice.random() > RELEASED:
            number += 1
            try:
                await self.write(lease, number)
                if number % 4 == 0:
                    await self.renew(lease)
            except FencedError:
                say("fenced", lease.epoch, number)
                return
            await asyncio.sleep(self.dice.uniform(0, 0.004))
        try:
            await lease.release()
        except EngineUnavailableError:
            say("unsure", lease.epoch, number)
        say("released", lease.epoch)

    async def write(self, lease: Lease, number: int) -> None:
        """Apply one batch under the lease, again while its outcome is unknown [W3]."""
        batch = batch_of(lease.epoch, number, self.name)
        while True:
            try:
                await self.engine.apply(batch, fence=lease)
            except EngineUnavailableError:
                say("unsure", lease.epoch, number)
            else:
                say("ack", lease.epoch, number)
                return

    async def renew(self, lease: Lease) -> None:
        """Prolong the lease; one that could not be asked for may still hold."""
        try:
            await lease.renew()
        except EngineUnavailableError:
            say("unsure", lease.epoch, 0)


async def _main(target: str, session: str, name: str, ttl: float, seed: str) -> None:
    reader = asyncio.StreamReader()
    make: Callable[[], asyncio.StreamReaderProtocol] = lambda: asyncio.StreamReaderProtocol(reader)  # noqa: E731
    await asyncio.get_running_loop().connect_read_pipe(make, sys.stdin)
    engine = await parse_target(target).open(session, params={"timeout": "3"})
    async with engine:
        await Fighter(engine, name, ttl, random.Random(seed)).obey(reader)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), sys.argv[5]))
