"""The Redis engine: every call is one script, every script one atomic step.

What makes writes happen exactly once: a writer enrolls under a name of its own and numbers its
requests. A request that the driver repeats, or that the network delivers after its caller gave up
and wrote more, has an old number and changes nothing [W3, W6, X1].
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from typing import Any

from wa_core.errors import (
    CorruptRecordError,
    EngineUnavailableError,
    FencedError,
    LeaseHeldError,
    StorageError,
    StoreVersionError,
)
from wa_core.storage import (
    DEFAULT_TIMEOUT_S,
    MAX_POSITION,
    Capabilities,
    Durability,
    Engine,
    Entry,
    Holder,
    Lease,
    Operation,
)

from wa_engine_redis.adoption import adopt, is_foreign
from wa_engine_redis.keys import space_of
from wa_engine_redis.line import AnyClient, Line, is_cluster
from wa_engine_redis.plan import packed
from wa_engine_redis.registry import register
from wa_engine_redis.scripts import (
    ACQUIRE,
    APPLY,
    CLEAR,
    ENROLL,
    GET,
    HOLDER,
    LIST,
    RENEW,
    SCAN,
    Script,
)
from wa_engine_redis.settings import Terms, agreed

CHUNK_BYTES = 512 * 1024
"""A step of a scan ends when it has read so much, and with 256 records at the latest."""
LAYOUT = 1
"""The version of the layout that this package writes [N3]."""
PATIENCE_S = 1.0
"""How long `close` waits for a server to take leave of."""


class RedisEngine(Engine):
    """One session in Redis, through a client that the caller owns."""

    def __init__(
        self,
        client: AnyClient,
        prefix: str = "wa:default",
        *,
        session: str | None = None,
        literal: bool = False,
        durability: Durability | None = None,
        replicas: int = 0,
        allow_eviction: bool = False,
        adopt: bool = False,
        read_only: bool = False,
        timeout: float = DEFAULT_TIMEOUT_S,
        owns_client: bool = False,
    ) -> None:
        # Until the server has told its settings, nothing is promised.
        super().__init__(_capabilities(Durability.VOLATILE, read_only), timeout=timeout)
        self.space = space_of(prefix, session, literal=literal, tagged=is_cluster(client))
        self.line = Line(client, self.space.prefix, replicas=replicas, timeout=timeout)
        self._terms = Terms(durability, allow_eviction)
        self._adopt = adopt
        self._owns_client = owns_client
        self._preparing = asyncio.Lock()
        self._ready = False
        self._writer = b""
        self._number = 0

    async def open(self) -> RedisEngine:
        """Look at the server's settings and at the session, before the first call does [D2, N3]."""
        await self._in_time(self._prepared())
        return self

    @property
    def is_closed(self) -> bool:
        """Tell whether `close` was called."""
        return self._closed

    async def _prepared(self) -> None:
        if self._ready:
            return
        async with self._preparing:
            if not self._ready:
                await self._prepare()

    async def _prepare(self) -> None:
        level = await agreed(self.line, self._terms, self.space.prefix)
        layout, begun = await self.line.call("HMGET", self.space.meta, b"layout", b"adopting")
        if layout is not None and layout != b"%d" % LAYOUT:
            raise StoreVersionError(layout.decode(errors="replace"), LAYOUT)
        read_only = self.capabilities.read_only
        if self._adopt or begun or (layout is None and await is_foreign(self.line, self.space)):
            await adopt(self.line, self.space, anew=self._adopt, read_only=read_only)
        self._capabilities = _capabilities(level, read_only)
        self._ready = True

    async def _run(self, script: Script, *args: bytes) -> Any:
        await self._prepared()
        return await self.line.run(script, *args)

    # Reads.

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        values = await self._run(GET, *map(str.encode, keys))
        return {
            key: _intact(key, value)
            for key, value in zip(keys, values, strict=True)
            if value is not None
        }

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        names = await self._run(
            LIST,
            prefix.encode(),
            b"%d" % min(offset, MAX_POSITION),
            b"-1" if limit is None else b"%d" % min(limit, MAX_POSITION),
        )
        folder = prefix[: prefix.rfind("/") + 1]
        return [folder + name.decode() for name in names]

    async def _count(self, prefix: str) -> int:
        await self._prepared()
        if not prefix:
            return int(await self.line.call("ZCARD", self.space.by_age))
        low = b"[" + prefix.encode()
        # No byte of UTF-8 is 255: this is above all that begins with the prefix.
        high = b"(" + prefix.encode() + b"\xff"
        return int(await self.line.call("ZLEXCOUNT", self.space.by_name, low, high))

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        async with aclosing(self._scan_many(prefix)) as pages:
            async for page in pages:
                for entry in page:
                    yield entry

    async def _scan_many(self, prefix: str) -> AsyncGenerator[Sequence[Entry], None]:
        after = b""
        while found := await self._run(SCAN, prefix.encode(), after, b"%d" % CHUNK_BYTES):
            rows = iter(found)
            yield [_entry(*row) for row in zip(rows, rows, rows, strict=True)]
            after = found[-3]

    # Writes.

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        epoch = b"" if fence is None else b"%d" % fence.epoch
        reply = await self._write(APPLY, lambda: (epoch, *packed(operations)))
        if reply[0] == b"fenced" and fence is not None:
            raise FencedError(fence.epoch)
        _expect_done(reply)

    async def _clear(self) -> None:
        _expect_done(await self._write(CLEAR, tuple))

    async def _write(self, script: Script, rest: Callable[[], tuple[bytes, ...]]) -> Any:
        await self._prepared()
        args = rest()
        for _ in range(3):
            if not self._writer:
                await self._enroll()
            self._number += 1
            reply = await self.line.write(script, self._writer, b"%d" % self._number, *args)
            if reply[0] != b"unknown":
                return reply
            # Forgotten after a long silence, or the server lost it: nothing was written.
            self._writer = b""
        raise EngineUnavailableError("redis does not remember its writers")

    async def _enroll(self) -> None:
        await register(self.line, self.space)
        reply = await self.line.write(ENROLL, secrets.token_hex(8).encode())
        _expect_done(reply)
        self._writer, self._number = reply[1], 0

    # Leases, by the clock of the server.

    async def _acquire(self, holder: str, ttl: float) -> int:
        await self._prepared()
        await register(self.line, self.space)
        token = secrets.token_hex(8).encode()
        reply = await self.line.write(ACQUIRE, holder.encode(), _microseconds(ttl), token)
        if reply[0] == b"held":
            raise LeaseHeldError(reply[1].decode(), int(reply[2]) / 1_000_000)
        _expect_done(reply)
        return int(reply[1])

    async def _holder(self) -> Holder | None:
        await self._prepared()
        found = await self.line.run(HOLDER)
        return Holder(found[0].decode(), int(found[1]) / 1_000_000) if found else None

    async def _renew(self, lease: Lease, ttl: float) -> None:
        await self._prepared()
        reply = await self.line.write(RENEW, b"%d" % lease.epoch, _microseconds(ttl))
        if reply[0] == b"fenced":
            raise FencedError(lease.epoch)
        _expect_done(reply)

    async def _release(self, lease: Lease) -> None:
        with suppress(FencedError):
            await self._renew(lease, 0.0)

    async def _close(self) -> None:
        try:
            # A server that is away forgets a writer after a day by itself.
            with suppress(StorageError, TimeoutError):
                await self._leave()
        finally:
            if self._owns_client:
                await self.line.disconnect()

    async def _leave(self) -> None:
        """Take the writer's name out: what is still on its way from here is over."""
        if self._writer:
            fields = (b"w:" + self._writer, b"s:" + self._writer)
            async with asyncio.timeout(min(PATIENCE_S, self.timeout / 2)):
                await self.line.call("HDEL", self.space.meta, *fields)


def _capabilities(durability: Durability, read_only: bool) -> Capabilities:
    return Capabilities(durability=durability, shared=True, read_only=read_only)


def _intact(key: str, value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    raise CorruptRecordError(key, "the index has it, and its value is gone or is no string")


def _entry(name: bytes, value: object, score: bytes) -> Entry:
    key = name.decode()
    return Entry(key, _intact(key, value), -int(float(score)))


def _microseconds(seconds: float) -> bytes:
    return b"%d" % int(seconds * 1_000_000)


def _expect_done(reply: Any) -> None:
    if reply[0] == b"version":
        raise StoreVersionError(reply[1].decode(errors="replace"), LAYOUT)
    if reply[0] != b"done":
        raise StorageError(f"redis answered {reply[0]!r}")
