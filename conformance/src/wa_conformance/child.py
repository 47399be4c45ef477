"""`python -m wa_conformance.child TARGET`: any target of the suite as a program on stdio.

It is the protocol's reference in one page: read it next to docs/stdio.md before you write one in
another language. Questions are answered as they finish; each begins in the order it came in.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, cast

from wa_core.errors import UnsupportedError
from wa_core.storage import Batch, Engine, Lease

from wa_conformance import wire
from wa_conformance.target import Target, parse_target

_LINE_LIMIT = 2**28
_SCAN_CHUNK = 100
_OPTIONAL = ("get_many", "apply", "count", "scan", "acquire", "clear")
_HOOKS = ("damage", "residue", "pretend_newer")

Answer = Awaitable[wire.Message]


class Child:
    """The sessions that are open, by number."""

    def __init__(self, target: Target, write: Callable[[bytes], None]) -> None:
        self._target = target
        self._write = write
        self._engines: dict[int, Engine] = {}
        self._scans: dict[int, Any] = {}
        self._numbers = 0

    async def answer(self, line: bytes) -> None:
        """Answer one question."""
        asked = wire.read(line)
        try:
            found = await self._handler(asked)(asked)
        except Exception as exc:
            found = wire.error_message(exc)
        self._write(wire.written({"id": asked.get("id"), **found}))

    async def close(self) -> None:
        """Close every session that is open."""
        for engine in self._engines.values():
            await engine.close()

    def _handler(self, asked: wire.Message) -> Callable[[wire.Message], Answer]:
        handler = getattr(self, f"on_{asked.get('op')}", None)
        if handler is None:
            raise UnsupportedError(str(asked.get("op")))
        return cast("Callable[[wire.Message], Answer]", handler)

    async def on_hello(self, asked: wire.Message) -> wire.Message:
        """Say what the target promises."""
        engine = await self._target.open("conf-hello")
        await engine.close()
        promised = engine.capabilities
        hooks = [name for name in _HOOKS if self._target.hooks.has(name)]
        return {
            "protocol": wire.PROTOCOL,
            "name": type(engine).__name__,
            "claims": sorted(promised.claims),
            "durability": promised.durability,
            "shared": promised.shared,
            "max_value": promised.max_value,
            "ops": [*_OPTIONAL, *hooks],
        }

    async def on_open(self, asked: wire.Message) -> wire.Message:
        """Open a session."""
        engine = await self._target.open(asked["session"], read_only=asked["read_only"])
        return {"engine": self._keep(self._engines, engine)}

    async def on_close(self, asked: wire.Message) -> wire.Message:
        """Close a session."""
        await self._engines.pop(asked["engine"]).close()
        return {}

    async def on_get(self, asked: wire.Message) -> wire.Message:
        """Read one value."""
        value = await self._engine(asked).get(asked["key"])
        return {"value": None if value is None else wire.packed(value)}

    async def on_get_many(self, asked: wire.Message) -> wire.Message:
        """Read values."""
        values = await self._engine(asked).get_many(asked["keys"])
        return {"values": {key: wire.packed(value) for key, value in values.items()}}

    async def on_set(self, asked: wire.Message) -> wire.Message:
        """Write one value."""
        value = wire.unpacked(asked["value"])
        await self._engine(asked).set(asked["key"], value, at=asked.get("at"))
        return {}

    async def on_delete(self, asked: wire.Message) -> wire.Message:
        """Delete in cascade."""
        await self._engine(asked).set(asked["key"], None)
        return {}

    async def on_apply(self, asked: wire.Message) -> wire.Message:
        """Apply a batch."""
        engine, batch = self._engine(asked), Batch()
        for step in asked["operations"]:
            if "put" in step:
                batch.put(step["put"], wire.unpacked(step["value"]), at=step.get("at"))
            else:
                batch.delete(step["delete"])
        epoch = asked.get("fence")
        fence = None if epoch is None else self._lease(engine, epoch)
        await engine.apply(batch, fence=fence)
        return {}

    async def on_list(self, asked: wire.Message) -> wire.Message:
        """List a page."""
        page = (asked["prefix"], asked["offset"], asked["limit"])
        return {"keys": await self._engine(asked).list(*page)}

    async def on_count(self, asked: wire.Message) -> wire.Message:
        """Count keys."""
        return {"count": await self._engine(asked).count(asked["prefix"])}

    async def on_scan(self, asked: wire.Message) -> wire.Message:
        """Go on with a scan; the cursor names it."""
        cursor = asked["cursor"]
        if cursor is None:
            cursor = self._keep(self._scans, self._engine(asked).scan(asked["prefix"]))
        entries: list[wire.Message] = []
        source = self._scans[cursor]
        async for entry in source:
            value = wire.packed(entry.value)
            entries.append({"key": entry.key, "value": value, "at": entry.at})
            if len(entries) == _SCAN_CHUNK:
                return {"entries": entries, "cursor": cursor}
        async with aclosing(self._scans.pop(cursor)):
            return {"entries": entries, "cursor": None}

    async def on_acquire(self, asked: wire.Message) -> wire.Message:
        """Take the lease."""
        lease = await self._engine(asked).acquire(asked["holder"], asked["ttl"])
        return {"epoch": lease.epoch}

    async def on_renew(self, asked: wire.Message) -> wire.Message:
        """Prolong the lease."""
        engine = self._engine(asked)
        await engine.renew_lease(self._lease(engine, asked["epoch"]), asked["ttl"])
        return {}

    async def on_release(self, asked: wire.Message) -> wire.Message:
        """End the lease."""
        engine = self._engine(asked)
        await engine.release_lease(self._lease(engine, asked["epoch"]))
        return {}

    async def on_clear(self, asked: wire.Message) -> wire.Message:
        """Empty the session."""
        await self._engine(asked).clear()
        return {}

    async def on_damage(self, asked: wire.Message) -> wire.Message:
        """Spoil a record."""
        await self._target.hooks.damage(self._engine(asked), asked["key"])
        return {}

    async def on_residue(self, asked: wire.Message) -> wire.Message:
        """Name what the backend keeps."""
        return {"names": await self._target.hooks.residue(self._engine(asked))}

    async def on_pretend_newer(self, asked: wire.Message) -> wire.Message:
        """Make the store look newer."""
        await self._target.hooks.pretend_newer(self._engine(asked))
        return {}

    def _engine(self, asked: wire.Message) -> Engine:
        return self._engines[asked["engine"]]

    def _lease(self, engine: Engine, epoch: int) -> Lease:
        return Lease(engine, holder="the other side", epoch=epoch, ttl=1.0)

    def _keep(self, place: dict[int, Any], thing: object) -> int:
        self._numbers += 1
        place[self._numbers] = thing
        return self._numbers


async def serve(target: Target) -> None:
    """Answer standard input on standard output until it ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_LINE_LIMIT)
    await loop.connect_read_pipe(partial(asyncio.StreamReaderProtocol, reader), sys.stdin)
    child = Child(target, _write)
    async with asyncio.TaskGroup() as answers:
        while line := await reader.readline():
            answers.create_task(child.answer(line))
    await child.close()


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    asyncio.run(serve(parse_target(sys.argv[1])))
