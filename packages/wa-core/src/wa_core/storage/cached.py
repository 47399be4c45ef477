"""An engine that remembers what it read and wrote, within a bound of bytes.

The idea: the cache may lag behind what this object knows, never behind the store. It is written
only after the inner `apply` returned, dropped for whatever a failed one touched, and used only
while nobody else can write: on the one writer of an engine that is not shared, or while a lease is
held through this object. Absence is never remembered, nor what is read while a write that failed
may still land: W6 says that it has or never will, once a later write has returned.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from wa_core.storage.batch import Operation, Put
from wa_core.storage.engine import Engine
from wa_core.storage.lease import Lease
from wa_core.storage.leasebook import suspend_clock
from wa_core.storage.wrapper import WrapperEngine

DEFAULT_MAX_BYTES = 16 * 1024 * 1024
ENTRY_COST = 200
"""What an entry costs beside its key and value, in bytes, roughly."""


class CachedEngine(WrapperEngine):
    """Answers `get` and `get_many` from memory where that cannot be wrong."""

    def __init__(
        self,
        inner: Engine,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        now: Callable[[], float] = suspend_clock,
    ) -> None:
        super().__init__(inner)
        self._max_bytes = max_bytes
        self._now = now
        self._held: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        promised = inner.capabilities
        self._leased = promised.shared or promised.read_only
        """Somebody else may write, so a lease decides. A reader has the writer beside it."""
        self._alone_until = float("-inf") if self._leased else float("inf")
        self._writes_begun = 0
        self._last_failed = 0
        self._last_done = 0
        self._writes_running = 0

    @property
    def cached_bytes(self) -> int:
        """What the cache holds now, in bytes."""
        return self._bytes

    def drop(self) -> None:
        """Forget everything."""
        self._held.clear()
        self._bytes = 0

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        self._check_alone()
        found = {key: self._held[key] for key in keys if key in self._held}
        for key in found:
            self._held.move_to_end(key)
        missing = [key for key in keys if key not in found]
        if missing:
            begun, calm = self._writes_begun, self._calm
            read = await super()._get_many(missing)
            undisturbed = begun == self._writes_begun and self._now() < self._alone_until
            if found and not undisturbed:
                # Half from before a write and half from behind it would be a torn batch [W1].
                return await super()._get_many(keys)
            if undisturbed and calm:
                self._remember(read)
            found.update(read)
        return found

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        with self._writing() as begun:
            self._forget(operations)
            await super()._apply(operations, fence)
            if begun == self._writes_begun:
                self._remember(_written(operations))

    async def _clear(self) -> None:
        with self._writing():
            self.drop()
            await super()._clear()

    async def _acquire(self, holder: str, ttl: float) -> int:
        self.drop()
        begun = self._now()
        epoch = await super()._acquire(holder, ttl)
        # What a read saw before, another writer may have changed since.
        self._writes_begun += 1
        self._hold_until(begun + ttl)
        return epoch

    async def _renew(self, lease: Lease, ttl: float) -> None:
        begun = self._now()
        try:
            await super()._renew(lease, ttl)
        except BaseException:
            self._hold_until(float("-inf"))
            raise
        self._hold_until(begun + ttl)

    async def _release(self, lease: Lease) -> None:
        self._hold_until(float("-inf"))
        await super()._release(lease)

    def _hold_until(self, moment: float) -> None:
        if self._leased:
            self._alone_until = moment
        self._check_alone()

    def _check_alone(self) -> None:
        if self._now() >= self._alone_until:
            self.drop()

    @property
    def _calm(self) -> bool:
        """Whether no write is under way, as far as anybody can tell."""
        return not self._writes_running and self._last_failed <= self._last_done

    @contextmanager
    def _writing(self) -> Iterator[int]:
        """Count a write in, and note how it ended; gives its number."""
        self._writes_begun += 1
        self._writes_running += 1
        begun = self._writes_begun
        try:
            yield begun
        except BaseException:
            self._last_failed = max(self._last_failed, begun)
            raise
        else:
            self._last_done = max(self._last_done, begun)
        finally:
            self._writes_running -= 1

    def _remember(self, values: dict[str, bytes]) -> None:
        if self._now() >= self._alone_until:
            return
        for key, value in values.items():
            self._discard(key)
            self._held[key] = value
            self._bytes += _cost(key, value)
        while self._bytes > self._max_bytes:
            key, value = self._held.popitem(last=False)
            self._bytes -= _cost(key, value)

    def _forget(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            self._discard(operation.key)
            if not isinstance(operation, Put):
                below = operation.key + "/"
                for key in [key for key in self._held if key.startswith(below)]:
                    self._discard(key)

    def _discard(self, key: str) -> None:
        value = self._held.pop(key, None)
        if value is not None:
            self._bytes -= _cost(key, value)


def _cost(key: str, value: bytes) -> int:
    return len(key) + len(value) + ENTRY_COST


def _written(operations: Sequence[Operation]) -> dict[str, bytes]:
    """Return the values that the batch leaves behind."""
    values: dict[str, bytes] = {}
    for operation in operations:
        if isinstance(operation, Put):
            values[operation.key] = operation.value
        else:
            below = operation.key + "/"
            gone = [key for key in values if key == operation.key or key.startswith(below)]
            for key in gone:
                del values[key]
    return values
