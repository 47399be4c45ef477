"""Changing the keys of a sealed session while it is used.

Another key-encryption key is one write of the head. Another data key is three steps, and a rotation
that was stopped anywhere goes on with the next call:

    1  the head gets a key of the next generation; from here it is what writes are sealed with
    2  what older keys sealed is sealed anew at its own position, a bounded batch at a time
    3  when a pass over all records finds nothing old, the head keeps the newest key alone

Each batch has the writes of this engine to itself, reads again what it will write over, and leaves
what is new by now. The writes of other processes are kept out by the lease.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace

from wa_core.crypto.derivation import STRONG, Cost
from wa_core.crypto.keysource import Callback, KeySource, source_of
from wa_core.errors import NoSessionError, UsageError
from wa_core.seal.engine import SealedEngine, sealed_in
from wa_core.seal.head import HEAD_KEY
from wa_core.seal.record import Ring
from wa_core.storage import Batch, Engine, Entry, Lease

BATCH_RECORDS = 200
BATCH_BYTES = 512 * 1024
"""What writers wait for at most: some milliseconds."""
_LEASE_S = 60.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the rotation of a data key is."""

    generation: int
    """Of the new key."""
    total: int
    """The records there were when the call began."""
    seen: int = 0
    """Looked at, in this pass."""
    resealed: int = 0
    """Sealed anew, since the call began."""


Listener = Callable[[Progress], None]


def _nobody(_: Progress) -> None:
    """Listen to nothing."""


async def rotate_key(
    engine: Engine,
    key: KeySource | Callback | str,
    *,
    lease: Lease | None = None,
    cost: Cost = STRONG,
) -> None:
    """Lock the data keys of a sealed session with another key; no record is touched.

    From then on the store opens with the new key alone; whoever has it open goes on. The holder of
    the session's lease passes it. Without, it is taken here, and `LeaseHeldError` says that a
    worker has it.
    """
    sealed = await _begun(engine)
    source = source_of(key)
    lock = await sealed.keeper.lock_for(source, cost)
    async with _tenure(sealed, lease) as tenure, sealed.gate.alone():
        keys = await sealed.keeper.newest()
        await sealed.keeper.replace(keys, tenure.fence, lock=lock)
        sealed.keeper.source = source


async def rotate_data_key(
    engine: Engine, *, lease: Lease | None = None, listener: Listener = _nobody
) -> Progress:
    """Seal all records of a session with a new data key, and forget the old one.

    A rotation that was stopped before is finished instead. Through this engine the session may be
    read and written meanwhile. About `lease` see `rotate_key`.
    """
    sealed = await _begun(engine)
    async with _tenure(sealed, lease) as tenure:
        async with sealed.gate.alone():
            keys = await sealed.keeper.newest()
            if not keys.is_rotating:
                keys = keys.grown()
                await sealed.keeper.replace(keys, tenure.fence)
        work = _Resealing(sealed, tenure, keys.ring(), listener)
        work.progress = Progress(keys.generation, await sealed.count())
        while await work.pass_over_all():
            continue
        async with sealed.gate.alone():
            await sealed.keeper.replace(keys.pruned(), tenure.fence)
        return work.progress


class _Tenure:
    """The lease that a rotation writes under."""

    def __init__(self, fence: Lease | None, *, is_ours: bool) -> None:
        self.fence = fence
        self._is_ours = is_ours
        self._now = asyncio.get_running_loop().time
        self._renewed = self._now()

    async def keep(self) -> None:
        """Prolong a lease that nobody else does."""
        if self._is_ours and self.fence and self._now() > self._renewed + _LEASE_S / 3:
            await self.fence.renew()
            self._renewed = self._now()


class _Resealing:
    """The passes over all records."""

    progress: Progress

    def __init__(
        self, sealed: SealedEngine, tenure: _Tenure, ring: Ring, listener: Listener
    ) -> None:
        self._inner = sealed.inner
        self._keeper = sealed.keeper
        self._gate = sealed.gate
        self._tenure = tenure
        self._ring = ring
        self._listener = listener

    async def pass_over_all(self) -> bool:
        """Look at every record once, and tell whether any had an older seal."""
        self.progress = replace(self.progress, seen=0)
        before, old, size = self.progress.resealed, list[Entry](), 0
        async with aclosing(self._inner.scan_many()) as pages:
            async for page in pages:
                for entry in page:
                    if entry.key != HEAD_KEY and not self._ring.is_current(entry.value):
                        old.append(entry)
                        size += len(entry.value)
                    if len(old) >= BATCH_RECORDS or size >= BATCH_BYTES:
                        await self._seal_anew(old)
                        old, size = [], 0
                self._seen(len(page))
                await self._tenure.keep()
        await self._seal_anew(old)
        return self.progress.resealed > before

    async def _seal_anew(self, old: list[Entry]) -> None:
        if not old:
            return
        async with self._gate.alone():
            if self._gate.is_doubtful:
                await self._keeper.settle(self._tenure.fence)
                self._gate.is_doubtful = False
            now = await self._inner.get_many(entry.key for entry in old)
            batch = Batch()
            for entry in old:
                # What was written or removed since is left: it is new.
                if now.get(entry.key) == entry.value:
                    value = self._ring.unseal(entry.key, entry.value)
                    batch.put(entry.key, self._ring.seal(entry.key, value), at=entry.at)
            await self._inner.apply(batch, fence=self._tenure.fence)
        self.progress = replace(self.progress, resealed=self.progress.resealed + len(old))
        self._listener(self.progress)
        await self._tenure.keep()

    def _seen(self, records: int) -> None:
        self.progress = replace(self.progress, seen=self.progress.seen + records)
        self._listener(self.progress)


async def _begun(engine: Engine) -> SealedEngine:
    sealed = sealed_in(engine)
    if sealed is None:
        raise UsageError("only a sealed store has keys to rotate: open it with seal= in its URL")
    if await sealed.keeper.find() is None:
        raise NoSessionError
    return sealed


@asynccontextmanager
async def _tenure(sealed: SealedEngine, lease: Lease | None) -> AsyncIterator[_Tenure]:
    if lease is not None:
        if lease.epoch != sealed.keeper.epoch:
            # Another engine that took it would go on writing with the old key.
            raise UsageError("rotate through the engine that the lease was taken through")
        yield _Tenure(lease, is_ours=False)
    elif "L3" not in sealed.capabilities.claims:
        yield _Tenure(None, is_ours=False)
    else:
        holder = f"wa-seal (pid {os.getpid()} on {socket.gethostname()})"
        async with await sealed.acquire(holder, _LEASE_S) as own:
            yield _Tenure(own, is_ours=True)
