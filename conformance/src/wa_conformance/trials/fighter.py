"""The processes that fight for a lease: `... TARGET SESSION SEED HOW_MANY`, forked from one.

Told to `fight TTL`, each tries to acquire, writes numbered records under the epoch it got until it
is fenced, and tries again; told to `rest`, it releases. It says all that happens to it, a line
each, which begins with its name.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from wa_core.errors import EngineUnavailableError, FencedError, LeaseHeldError
from wa_core.storage import Batch, Engine, EngineUrl, Lease
from wa_core.storage.registry import provider_for

from wa_conformance.target import Target, parse_target
from wa_conformance.writer import say

TURN = "turn"
LOG = "log"
PLACES = 5
RELEASED = 0.02
"""How often a holder lets go by itself, per write."""
TIMEOUT_S = "3"


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
    dice: random.Random
    ttl: float = 0.0
    fighting: asyncio.Event = field(default_factory=asyncio.Event)

    def say(self, *words: object) -> None:
        """Say something under the own name."""
        say(self.name, *words)

    async def obey(self, reader: asyncio.StreamReader) -> None:
        """Do what the lines of the input say, until it ends."""
        fight = asyncio.ensure_future(self.live())
        try:
            self.say("ready")
            while line := await reader.readline():
                match line.decode().split():
                    case ["fight", ttl]:
                        self.ttl = float(ttl)
                        self.fighting.set()
                    case _:
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
                self.say("resting")
        except Exception as exc:
            self.say("broken", type(exc).__name__, str(exc).replace("\n", " "))

    async def try_to_win(self) -> None:
        """Try to acquire once, and hold what was won."""
        try:
            lease = await self.engine.acquire(self.name, self.ttl)
        except (LeaseHeldError, EngineUnavailableError):
            await asyncio.sleep(self.dice.uniform(0, self.ttl / 4))
            return
        seen = await self.last_turn()
        self.say("won", lease.epoch, seen)
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
        number, renewed = 0, time.monotonic()
        while self.fighting.is_set() and self.dice.random() > RELEASED:
            number += 1
            try:
                await self.write(lease, number)
                if time.monotonic() > renewed + self.ttl / 4:
                    await self.renew(lease)
                    renewed = time.monotonic()
            except FencedError:
                self.say("fenced", lease.epoch, number)
                return
            await asyncio.sleep(self.dice.uniform(0, 0.004))
        try:
            await lease.release()
        except EngineUnavailableError:
            self.say("unsure", lease.epoch, number)
        self.say("released", lease.epoch)

    async def write(self, lease: Lease, number: int) -> None:
        """Apply one batch under the lease, again while its outcome is unknown [W3]."""
        batch = batch_of(lease.epoch, number, self.name)
        while True:
            try:
                await self.engine.apply(batch, fence=lease)
            except EngineUnavailableError:
                self.say("unsure", lease.epoch, number)
            else:
                self.say("ack", lease.epoch, number)
                return

    async def renew(self, lease: Lease) -> None:
        """Prolong the lease; one that could not be asked for may still hold."""
        try:
            await lease.renew()
        except EngineUnavailableError:
            self.say("unsure", lease.epoch, 0)


async def _fight(target: Target, session: str, name: str, seed: str) -> None:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    engine = await target.open(session, params={"timeout": TIMEOUT_S})
    async with engine:
        await Fighter(engine, name, random.Random(f"{seed}/{name}")).obey(reader)


def _live(target: Target, session: str, name: str, seed: str) -> None:
    status = 1
    try:
        asyncio.run(_fight(target, session, name, seed))
        status = 0
    except BaseException as exc:
        say(name, "broken", type(exc).__name__, str(exc).replace("\n", " "))
    finally:
        os._exit(status)


def main(arguments: Sequence[str]) -> None:
    """Load the target once, fork the fighters, and pass on what they are told, until the end."""
    text, session, seed, count = arguments
    target = parse_target(text)
    if target.is_url:
        provider_for(EngineUrl.parse(text).scheme)
    told: list[int] = []
    for number in range(int(count)):
        name = f"fighter-{number}"
        ear, mouth = os.pipe()
        pid = os.fork()
        if pid == 0:
            for each in (*told, mouth):
                os.close(each)
            os.dup2(ear, 0)
            _live(target, session, name, seed)
        os.close(ear)
        told.append(mouth)
        say(name, "pid", pid)
    for line in sys.stdin:
        for mouth in told:
            os.write(mouth, line.encode())


if __name__ == "__main__":
    main(sys.argv[1:])
