"""Memory engines whose reads fail on demand, at places that URLs name."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress

from wa_core.errors import EngineUnavailableError, WaError
from wa_core.storage import MemoryStore
from wa_core.storage.memory import MemoryProvider
from wa_core.storage.position import PositionClock

Fault = Callable[[], WaError]


class BrokenStore(MemoryStore):
    """A store that a test can break: one key of it, or the way to it."""

    def __init__(self, records: dict[str, bytes]) -> None:
        super().__init__()
        self.clock = PositionClock()
        for key, value in records.items():
            self.put(key, value, None)
        self.calls = 0
        """How often the backend was asked for anything."""
        self._faults: dict[str, Fault] = {}
        self._dies_at = 0

    def break_key(self, key: str, fault: Fault) -> None:
        """Let every read of a key end in an error."""
        self._faults[key] = fault

    def die_at(self, call: int) -> None:
        """Let this call, and every one behind it, find the connection dead."""
        self._dies_at = self.calls + call

    def mend(self) -> None:
        """Work from now on."""
        self._faults.clear()
        self._dies_at = 0

    @property
    def is_dead(self) -> bool:
        """Whether the call was reached at which the connection dies."""
        return 0 < self._dies_at <= self.calls

    async def answering(self) -> None:
        """Count the call; without a connection there is no answer."""
        self.calls += 1
        if self.is_dead:
            raise EngineUnavailableError("the connection is dead")
        await super().answering()

    def read(self, key: str) -> bytes:
        """Return a value, or raise what the test wants."""
        if key in self._faults:
            raise self._faults[key]()
        return super().read(key)


def stored(records: dict[str, bytes]) -> tuple[str, BrokenStore]:
    """Put a session in memory; return its URL, which ends soon where nobody answers."""
    place, store = secrets.token_hex(8), BrokenStore(records)
    MemoryProvider._places[place] = {"default": store}
    return f"memory:{place}?timeout=0.05", store


def forget(*urls: str) -> None:
    """Take places out of memory."""
    for url in urls:
        with suppress(KeyError):
            del MemoryProvider._places[url.removeprefix("memory:").partition("?")[0]]
