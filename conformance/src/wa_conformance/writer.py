"""The process that is killed: `python -m wa_conformance.writer TARGET SESSION ROLE SEED`.

It says on its output what has happened, a line each, and does what it is told on its input. With
`--nursery TARGET` it loads the target once and then forks a writer for each line it reads: two
hundred kills would otherwise be two hundred starts of Python.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable

from wa_core.errors import FencedError, WaError
from wa_core.storage import Batch, Engine, EngineUrl
from wa_core.storage.registry import provider_for, wrappers_for

from wa_conformance.crash import STATE, generation
from wa_conformance.target import Target, parse_target

LEASE_S = 0.3


def say(*words: object) -> None:
    """Write one line in one piece: what was said before a kill has been said."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def write_generations(engine: Engine, seed: int) -> None:
    """Apply one generation after the other, from the one that is there, until killed."""
    text = await engine.get(STATE)
    number = 0 if text is None else int(text)
    say("from", number)
    while True:
        number += 1
        await engine.apply(generation(seed, number))
        say("ack", number)


async def count_up(engine: Engine, seed: int) -> None:
    """Save a number, one higher each time, until killed."""
    text = await engine.get(STATE)
    number = 0 if text is None else int(text)
    say("from", number)
    while True:
        number += 1
        await engine.set(STATE, str(number))
        say("ack", number)


async def hold_the_place(engine: Engine, seed: int) -> None:
    """Have the session open, write what is asked for, until the input ends."""
    say("open", os.getpid())
    while line := await asyncio.to_thread(sys.stdin.readline):
        key, _, value = line.rstrip("\n").partition(" ")
        await engine.set(key, value)
        say("set", key)


async def write_a_share(engine: Engine, seed: int) -> None:
    """Write a hundred records of its own, one by one, at the same time as others do."""
    say("open", os.getpid())
    await asyncio.to_thread(sys.stdin.readline)
    for number in range(100):
        await engine.apply(
            Batch().put(f"share/{seed}/{number}", str(number)).put("last", str(seed))
        )
    say("done")


async def hold_the_lease(engine: Engine, seed: int) -> None:
    """Take a short lease, and write under it whenever told to, however late that is."""
    lease = await engine.acquire(f"worker-{seed}", LEASE_S if seed else 60.0)
    say("lease", lease.epoch)
    while await asyncio.to_thread(sys.stdin.readline):
        try:
            await engine.apply(Batch().put("k", b"late").put("k/2", b"late"), fence=lease)
        except FencedError:
            say("fenced")
        else:
            say("wrote")


ROLES: dict[str, Callable[[Engine, int], Awaitable[None]]] = {
    "generations": write_generations,
    "counter": count_up,
    "holder": hold_the_place,
    "share": write_a_share,
    "lease": hold_the_lease,
}


async def play(target: Target, session: str, role: str, seed: int) -> None:
    """Open the session and play the role; an error is said, too."""
    try:
        engine = await target.open(session)
        try:
            await ROLES[role](engine, seed)
        finally:
            await engine.close()
    except WaError as exc:
        say("error", type(exc).__name__, str(exc).replace("\n", " "))


def nurse(target: Target) -> None:
    """Fork a writer for each line `SESSION ROLE SEED` of the input, and say when it is gone."""
    if target.is_url:
        url = EngineUrl.parse(target.text)
        provider_for(url.scheme)
        wrappers_for(url)
    say("ready")
    for line in sys.stdin:
        session, role, seed = line.split()
        child = os.fork()
        if child == 0:
            _live(target, session, role, int(seed))
        say("pid", child)
        _, status = os.waitpid(child, 0)
        say("gone", status)


def _live(target: Target, session: str, role: str, seed: int) -> None:
    status = 1
    try:
        asyncio.run(play(target, session, role, seed))
        status = 0
    except BaseException as exc:
        say("error", type(exc).__name__, str(exc).replace("\n", " "))
    finally:
        os._exit(status)


def main(arguments: list[str]) -> None:
    """Play one role, or nurse many."""
    if arguments[0] == "--nursery":
        nurse(parse_target(arguments[1]))
        return
    target, session, role, seed = arguments
    asyncio.run(play(parse_target(target), session, role, int(seed)))


if __name__ == "__main__":
    main(sys.argv[1:])
