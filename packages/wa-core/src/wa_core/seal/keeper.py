"""The head of one session as one engine knows it: read, begun, read again when it may have changed.

Two things must never happen: two heads for one session, and a write with a key that the store no
longer has. A head is begun under the session's lease. A key is dropped under it, too: so whoever
took the lease through this engine knows the newest key, and whoever writes without looks at the
head first.
"""

from __future__ import annotations

import asyncio

from wa_core.crypto.derivation import Cost, Derivation, Secret
from wa_core.crypto.keysource import KeySource
from wa_core.errors import CorruptRecordError, LeaseHeldError, UnsealedStoreError
from wa_core.seal.head import HEAD_KEY, Head, Keys, Lock
from wa_core.seal.record import Ring
from wa_core.storage import Batch, Engine, Lease
from wa_core.storage.batch import MAX_POSITION

_NOTHING = f"{HEAD_KEY}/nothing"
_HOLDER = "sealing a session"
_GLANCE_S = 0.05


class Keeper:
    """Keeps the keys of a session that lies in `inner`."""

    def __init__(self, inner: Engine, source: KeySource, cost: Cost) -> None:
        self._inner = inner
        self.source = source
        self._cost = cost
        self._shared = inner.capabilities.shared
        self._leases = "L3" in inner.capabilities.claims
        self._busy = asyncio.Lock()
        self._data: bytes | None = None
        """The head as it was last seen in the store."""
        self._first: bytes | None = None
        """The head to begin with: the same one in every attempt, for one that failed may land."""
        self._lock: Lock | None = None
        self._clearing = False
        """Whether a clear got no answer: it may still take the head away."""
        self._sure_of: int | None = None
        self.keys: Keys | None = None
        self.ring: Ring | None = None

    @property
    def epoch(self) -> int | None:
        """The epoch of the lease that was last taken through this engine."""
        return self._sure_of

    async def look(self) -> None:
        """Unlock what is there; of an empty store, see that there is a key for it."""
        if await self.find() is None:
            await self.source.load()

    async def find(self) -> Ring | None:
        """Return the keys; None where the store is empty."""
        if self.ring is None:
            async with self._busy:
                data = await self._inner.get(HEAD_KEY)
                if data is not None:
                    await self._take(data)
                elif await self._inner.list(limit=1):
                    raise UnsealedStoreError
        return self.ring

    async def take(self, data: bytes) -> Ring:
        """Unlock a head that was read as this engine's first."""
        async with self._busy:
            return await self._take(data) if self.ring is None else self.ring

    async def reload(self) -> Ring:
        """Read the head again: it is not what was seen before."""
        async with self._busy:
            return await self._read_again()

    async def for_writing(self, fence: Lease | None) -> Ring:
        """Return the keys to write with; this may begin the session."""
        if self.ring is None or self._clearing:
            return await self._begun(fence)
        return self.ring_for(fence) or await self.reload()

    def ring_for(self, fence: Lease | None) -> Ring | None:
        """Return the keys to write with, if they cannot have been changed by anybody else."""
        sure = not self._shared or (fence is not None and fence.epoch == self._sure_of)
        return self.ring if sure and not self._clearing else None

    async def under(self, lease: Lease) -> None:
        """Make sure of the keys under a lease that was just taken."""
        await self.for_writing(lease)
        self._sure_of = lease.epoch

    async def newest(self) -> Keys:
        """Return the keys as they are in the store now."""
        await self.reload()
        assert self.keys is not None
        return self.keys

    async def lock_for(self, source: KeySource, cost: Cost) -> Lock:
        """Derive a key-encryption key that no head has yet."""
        return await _off_the_loop(await source.load(), None, cost)

    async def replace(self, keys: Keys, fence: Lease | None, *, lock: Lock | None = None) -> None:
        """Write another head in one step; without `lock`, under the same key-encryption key."""
        # Nobody may read the old head before this and take it for news after it.
        async with self._busy:
            lock = await self._lock_now() if lock is None else lock
            data = keys.locked(lock).to_bytes()
            await self._put(data, fence)
            self._set(data, lock, keys)

    async def clear(self) -> None:
        """Remove everything but the head, which others may have in memory."""
        async with self._busy:
            self._first = await self._inner.get(HEAD_KEY) or self._first
            self._forget()
            self._clearing = True
            await self._inner.clear()
            self._clearing = False
            if self._first is not None:
                await self._put(self._first, None)
                await self._take(self._first)

    async def _begun(self, fence: Lease | None) -> Ring:
        async with self._busy:
            if self._clearing:
                await self.settle(fence)
                self._clearing = False
                self._forget()
            if fence is not None or not self._leases:
                return self.ring or await self._found_or_made(fence)
            return self.ring or await self._begun_alone()

    async def _begun_alone(self) -> Ring:
        """Begin under a lease of our own, or find what its holder began, who does that at once."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._inner.timeout
        while True:
            try:
                lease = await self._inner.acquire(_HOLDER, 3 * self._inner.timeout)
            except LeaseHeldError:
                data = await self._inner.get(HEAD_KEY)
                if data is not None:
                    return await self._take(data)
                if loop.time() >= deadline:
                    raise
            else:
                async with lease:
                    return await self._found_or_made(lease)
            # No store tells when a record comes, so it is asked again.
            await asyncio.sleep(_GLANCE_S)

    async def _found_or_made(self, fence: Lease | None) -> Ring:
        data = await self._inner.get(HEAD_KEY)
        if data is None:
            if await self._inner.list(limit=1):
                raise UnsealedStoreError
            if self._first is None:
                self._lock = await self.lock_for(self.source, self._cost)
                self._first = Keys.fresh().locked(self._lock).to_bytes()
            data = self._first
            await self._put(data, fence)
        return await self._take(data)

    async def settle(self, fence: Lease | None) -> None:
        """Wait until writes that got no answer have landed or never will.

        A later write that has returned says so [W6]; this one changes nothing.
        """
        await self._inner.apply(Batch().delete(_NOTHING), fence=fence)

    async def _put(self, data: bytes, fence: Lease | None) -> None:
        # At the greatest position it is first in every list that it would be in.
        await self._inner.apply(Batch().put(HEAD_KEY, data, at=MAX_POSITION), fence=fence)

    async def _read_again(self) -> Ring:
        data = await self._inner.get(HEAD_KEY)
        if data is None:
            if self.ring is None:
                raise UnsealedStoreError
            raise CorruptRecordError(HEAD_KEY, "it is gone, and what it sealed with it")
        return await self._take(data)

    async def _take(self, data: bytes) -> Ring:
        if self.ring is not None and self.keys is not None:
            if data == self._data:
                return self.ring
            if _same_keys(Head.from_bytes(data), self.keys):
                self._data = data
                return self.ring
        head = Head.from_bytes(data)
        lock = await self._lock_of(head)
        keys = head.open(lock)
        known = self.keys
        if known and known.session == keys.session and known.generation > keys.generation:
            raise CorruptRecordError(HEAD_KEY, "it is older than the one that was here before")
        return self._set(data, lock, keys)

    async def _lock_of(self, head: Head) -> Lock:
        known = self._lock
        if known and known.derivation == head.derivation and known.check == head.check:
            return known
        return await _off_the_loop(await self.source.load(), head.derivation, self._cost)

    async def _lock_now(self) -> Lock:
        data = await self._inner.get(HEAD_KEY)
        if data is None:
            raise CorruptRecordError(HEAD_KEY, "it is gone, and what it sealed with it")
        return await self._lock_of(Head.from_bytes(data))

    def _forget(self) -> None:
        self.keys = self.ring = self._data = None

    def _set(self, data: bytes, lock: Lock, keys: Keys) -> Ring:
        self._data, self._lock, self.keys = data, lock, keys
        self.ring = keys.ring()
        return self.ring


def _same_keys(head: Head, keys: Keys) -> bool:
    """Tell whether only the key-encryption key is another: then nothing has to be unlocked."""
    known = [(key.generation, key.id) for key in keys.keys]
    return head.session == keys.session and [(k.generation, k.id) for k in head.keys] == known


async def _off_the_loop(secret: Secret, derivation: Derivation | None, cost: Cost) -> Lock:
    """Derive a key-encryption key, in a thread: a passphrase takes a while."""
    if derivation is None:
        return await asyncio.to_thread(Lock.fresh, secret, cost)
    return await asyncio.to_thread(Lock.of, secret, derivation)
