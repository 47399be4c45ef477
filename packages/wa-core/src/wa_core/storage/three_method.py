"""The smallest engine: three methods, and the `core` level of the contract.

What the three cannot give is refused, not imitated: a batch of two over single writes would be
atomic in its docstring only.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Sequence

from wa_core.errors import UnsupportedError
from wa_core.storage.batch import Operation, Put
from wa_core.storage.capabilities import Capabilities, Durability
from wa_core.storage.clauses import CORE
from wa_core.storage.engine import DEFAULT_TIMEOUT_S, Engine, Entry
from wa_core.storage.lease import Lease


class ThreeMethodEngine(Engine):
    """An engine that gets, sets and lists; subclass it and fill in the three."""

    def __init__(
        self, capabilities: Capabilities | None = None, *, timeout: float = DEFAULT_TIMEOUT_S
    ) -> None:
        claimed = capabilities or Capabilities(
            durability=Durability.VOLATILE, shared=False, claims=CORE
        )
        super().__init__(claimed, timeout=timeout)

    @abstractmethod
    async def read(self, key: str) -> bytes | None:
        """Return the value of a valid key, or None when it is absent."""

    @abstractmethod
    async def write(self, key: str, value: bytes | None, at: int | None) -> None:
        """Write one value; None deletes the key and all below it."""

    @abstractmethod
    async def page(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        """List keys that begin with `prefix`, newest first, ties by key."""

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found = {}
        for key in keys:
            value = await self.read(key)
            if value is not None:
                found[key] = value
        return found

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        if fence is not None:
            raise UnsupportedError("fenced writes")
        if len(operations) > 1:
            raise UnsupportedError("batches of more than one operation")
        for operation in operations:
            if isinstance(operation, Put):
                await self.write(operation.key, operation.value, operation.at)
            else:
                await self.write(operation.key, None, None)

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        return await self.page(prefix, offset, limit)

    async def _count(self, prefix: str) -> int:
        return len(await self.page(prefix, 0, None))

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        raise UnsupportedError("scan")
        yield Entry("", b"", 0)  # makes this an async generator

    async def _clear(self) -> None:
        for key in await self.page("", 0, None):
            await self.write(key, None, None)
