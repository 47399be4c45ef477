"""What of a session is meant: all of it, or a part that people name.

One idea: the marker of a move belongs to the store and not to the session, so it lies in no scope.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from wa_core.errors import UsageError
from wa_core.state.moves import MOVE_KEY
from wa_core.storage import Engine, Entry

PARTS = {
    "auth": ("session/",),
    "contacts": ("contact/", "lid/"),
    "chats": ("chat/",),
}
"""The parts that have names, as prefixes of the keys in them."""

_BELOW = MOVE_KEY + "/"


@dataclass(frozen=True, slots=True)
class Scope:
    """The keys that a command is about."""

    prefixes: tuple[str, ...]

    @classmethod
    def of(cls, parts: Iterable[str] = ()) -> Scope:
        """Take the named parts together; none named is everything."""
        named = tuple(dict.fromkeys(parts))
        for part in named:
            if part not in PARTS:
                raise UsageError(f"no part is called {part!r}; there are {', '.join(PARTS)}")
        return cls(tuple(prefix for part in named for prefix in PARTS[part]) or ("",))

    @property
    def is_move(self) -> bool:
        """Tell whether the credentials go along: they can be in one place only."""
        return "" in self.prefixes or "session/" in self.prefixes

    async def count(self, engine: Engine) -> int:
        """Count the records of a store that are meant."""
        found = 0
        for prefix in self.prefixes:
            found += await engine.count(prefix)
            if not prefix:
                found -= await engine.count(_BELOW) + (await engine.get(MOVE_KEY) is not None)
        return found

    async def scan(self, engine: Engine) -> AsyncGenerator[Sequence[Entry], None]:
        """Iterate the records of a store that are meant, as it reads them, in constant memory."""
        for prefix in self.prefixes:
            async with aclosing(engine.scan_many(prefix)) as pages:
                async for page in pages:
                    yield [entry for entry in page if not is_marker(entry.key)]


EVERYTHING = Scope(("",))


def is_marker(key: str) -> bool:
    """Tell whether a key is the marker of a move, or lies below it."""
    return key == MOVE_KEY or key.startswith(_BELOW)
