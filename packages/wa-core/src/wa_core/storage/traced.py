"""An engine that counts what it does: calls, errors and time per operation, ready for metrics."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field

from wa_core.errors import WaError
from wa_core.storage.batch import Operation
from wa_core.storage.engine import Engine, Entry
from wa_core.storage.lease import Lease
from wa_core.storage.wrapper import WrapperEngine

BUCKETS_S = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Upper bounds of the latency histogram; one more bucket holds all that is slower."""


@dataclass(slots=True)
class OperationStats:
    """What one kind of operation has cost so far."""

    calls: int = 0
    seconds: float = 0.0
    items: int = 0
    """Keys read, operations written, records scanned."""
    errors: Counter[str] = field(default_factory=Counter)
    """By `code`, or by class name where the error is none of ours (`CancelledError`)."""
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))

    def record(self, seconds: float) -> None:
        """Count one finished call."""
        self.calls += 1
        self.seconds += seconds
        slower = sum(1 for bound in BUCKETS_S if seconds > bound)
        self.buckets[slower] += 1


class TracedEngine(WrapperEngine):
    """Counts and times every operation in `stats`, by name."""

    def __init__(self, inner: Engine, *, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__(inner)
        self.stats: dict[str, OperationStats] = {}
        self._clock = clock

    @contextmanager
    def _traced(self, name: str, items: int = 0) -> Iterator[OperationStats]:
        stats = self.stats.setdefault(name, OperationStats())
        stats.items += items
        begun = self._clock()
        try:
            yield stats
        except GeneratorExit:
            raise  # the caller of `scan` has seen enough: no error
        except BaseException as exc:
            stats.errors[exc.code if isinstance(exc, WaError) else type(exc).__name__] += 1
            raise
        finally:
            stats.record(self._clock() - begun)

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        with self._traced("get", len(keys)):
            return await super()._get_many(keys)

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        with self._traced("apply", len(operations)):
            await super()._apply(operations, fence)

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        with self._traced("list") as stats:
            page = await super()._list(prefix, offset, limit)
            stats.items += len(page)
            return page

    async def _count(self, prefix: str) -> int:
        with self._traced("count"):
            return await super()._count(prefix)

    async def _scan(self, prefix: str) -> AsyncGenerator[Entry, None]:
        with self._traced("scan") as stats:
            async with aclosing(super()._scan(prefix)) as source:
                async for entry in source:
                    stats.items += 1
                    yield entry

    async def _acquire(self, holder: str, ttl: float) -> int:
        with self._traced("acquire"):
            return await super()._acquire(holder, ttl)

    async def _renew(self, lease: Lease, ttl: float) -> None:
        with self._traced("renew"):
            await super()._renew(lease, ttl)

    async def _release(self, lease: Lease) -> None:
        with self._traced("release"):
            await super()._release(lease)

    async def _clear(self) -> None:
        with self._traced("clear"):
            await super()._clear()
