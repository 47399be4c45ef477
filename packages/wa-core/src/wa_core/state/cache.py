"""A cache of records whose right to remember is a lease that somebody else took and keeps alive.

`CachedEngine` trusts a lease as long as it is told that it lasts. Here nobody tells: what is
remembered belongs to an epoch, and every write carries that epoch. So a worker that lost its lease
may read an old record once more, but nothing that came of it is ever written: the first write is
refused, and everything is forgotten with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from wa_core.errors import FencedError
from wa_core.storage import CachedEngine, Lease, Operation
from wa_core.storage.layouts import SESSION

FOREVER = float("inf")
NEVER = float("-inf")


class LeasedCache(CachedEngine):
    """Remembers under the lease it follows, or where the engine has one writer anyway."""

    def follow(self, lease: Lease | None) -> None:
        """Forget everything, and remember under `lease` from now on; without one, nothing."""
        self.drop()
        # What a read under way has seen belongs to the former lease.
        self._writes_begun += 1
        self._hold_until(NEVER if lease is None else FOREVER)

    def _remember(self, values: dict[str, bytes]) -> None:
        super()._remember({key: value for key, value in values.items() if _is_record(key)})

    def _forget(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            if _is_record(operation.key):
                # Nothing that is remembered lies below a record: no need to look for it.
                self._discard(operation.key)
            else:
                super()._forget((operation,))

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        try:
            await super()._apply(operations, fence)
        except FencedError:
            self.follow(None)
            raise


def _is_record(key: str) -> bool:
    return key.startswith(SESSION) and key.count("/") == 2
