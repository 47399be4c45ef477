"""`wa rm URL KEY`: a record and all below it, under the session's lease.

A worker has records in memory, and would write back what is removed under it. So the lease is
taken first, and whoever holds it is named; there is no taking it over.
"""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any

from wa_core.cli.blocks import Block, Line, Tone
from wa_core.cli.command import add_common, add_full_keys, add_url
from wa_core.cli.exits import DIFFERENT, DONE
from wa_core.cli.screen import Screen
from wa_core.cli.spelling import count, size
from wa_core.errors import UsageError, masked
from wa_core.state.moves import check_openable
from wa_core.state.tally import PAGE, is_ours, read_each
from wa_core.storage import Batch, Engine, Lease, check_key, open_engine
from wa_core.storage.layouts import CREDS

_LEASE_S = 600.0


@dataclass(frozen=True, slots=True)
class Cascade:
    """What a delete would remove."""

    key: str
    itself: bool
    """Whether there is a record of this very key."""
    records: int
    size: int

    def to_dict(self, *, full: bool, removed: bool) -> dict[str, Any]:
        """Describe it for a program."""
        key = self.key if full else masked(self.key)
        return {"key": key, "records": self.records, "bytes": self.size, "removed": removed}


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.description = (
        "Remove a record and every one below it, in one step, after showing how many that are and "
        "asking. The session's lease is taken for it: stop the program that uses the session."
    )
    add_url(parser)
    add = parser.add_argument
    add("key", metavar="KEY", help="the record; all that begin with KEY/ go, too")
    add("--yes", action="store_true", help="do not ask")
    add_full_keys(parser)
    add_common(parser)


async def run(options: argparse.Namespace, screen: Screen) -> int:
    """Remove a record, once it was said that it may go."""
    key = check_key(options.key)
    if is_ours(key) or is_ours(f"{key}/move"):
        raise UsageError("this says where the session is or how it is sealed: it cannot be spared")
    async with AsyncExitStack() as ends:
        engine = await ends.enter_async_context(await open_engine(options.url))
        lease = await _held(engine, ends)
        await check_openable(engine, lease=lease)
        found = await cascade(engine, key)
        if not found.records:
            shown = key if options.full_keys else masked(key)
            screen.complain("absent", f"there is no record {shown!r}, and none below it")
            return DIFFERENT
        if not options.yes and not _agreed(found, screen, full=options.full_keys):
            screen.complain("kept", "nothing was removed")
            return DIFFERENT
        await engine.apply(Batch().delete(key), fence=lease)
    document = found.to_dict(full=options.full_keys, removed=True)
    screen.show(document, rendered(found, full=options.full_keys))
    return DONE


async def _held(engine: Engine, ends: AsyncExitStack) -> Lease | None:
    """Take the session's lease where there is one."""
    if "L3" not in engine.capabilities.claims:
        return None
    name = f"wa rm (pid {os.getpid()} on {socket.gethostname()})"
    return await ends.enter_async_context(await engine.acquire(name, _LEASE_S))


async def cascade(engine: Engine, key: str) -> Cascade:
    """Count what deleting a key removes; what cannot be read goes as well."""
    itself, records, total = False, 0, 0
    async with aclosing(_pages(engine, key)) as pages:
        async for keys in pages:
            values, damaged = await read_each(engine, keys)
            itself |= key in values or key in damaged
            records += len(values) + len(damaged)
            total += sum(map(len, values.values()))
    return Cascade(key, itself, records, total)


async def _pages(engine: Engine, key: str) -> AsyncGenerator[list[str], None]:
    yield [key]
    offset = 0
    while page := await engine.list(f"{key}/", offset, PAGE):
        offset += len(page)
        yield page


def rendered(found: Cascade, *, full: bool) -> list[Block]:
    """Say what was removed."""
    return [Line(f"removed: {_spelt(found, full)}", Tone.GOOD)]


def _agreed(found: Cascade, screen: Screen, *, full: bool) -> bool:
    warning = ""
    if f"{CREDS}/".startswith(f"{found.key}/"):
        warning = "This is what the session is: without it the phone must be linked anew. "
    answer = screen.ask(f"{warning}Remove {_spelt(found, full)}? [y/N] ")
    if answer is None:
        raise UsageError("nobody is there to ask: say --yes")
    return answer.lower() in ("y", "yes")


def _spelt(found: Cascade, full: bool) -> str:
    key = found.key if full else masked(found.key)
    below = count(found.records - found.itself, "record")
    if not found.itself:
        what = f"{below} below {key!r}"
    else:
        what = f"{key!r} and {below} below it" if found.records > 1 else repr(key)
    return f"{what}, {size(found.size)}"
