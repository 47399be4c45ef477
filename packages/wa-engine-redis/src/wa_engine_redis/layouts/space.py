"""What a keyspace of another library is to the engine: where keys lie, and which there are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from wa_engine_redis.line import Line

Command = tuple[bytes | str | int, ...]
AT_ONCE = 500
"""Commands of one pipeline, and names of one step of SCAN."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A string, or a field of a hash."""

    name: bytes
    field: bytes | None = None

    @property
    def read(self) -> Command:
        """The command that reads it."""
        return ("GET", self.name) if self.field is None else ("HGET", self.name, self.field)

    @property
    def remove(self) -> Command:
        """The command that removes it."""
        return ("DEL", self.name) if self.field is None else ("HDEL", self.name, self.field)

    @property
    def there(self) -> Command:
        """The command that tells whether it is there."""
        if self.field is None:
            return ("EXISTS", self.name)
        return ("HEXISTS", self.name, self.field)

    @property
    def kind(self) -> bytes:
        """What Redis calls the type of the key."""
        return b"string" if self.field is None else b"hash"

    def write(self, value: bytes) -> Command:
        """Return the command that writes it."""
        if self.field is None:
            return ("SET", self.name, value)
        return ("HSET", self.name, self.field, value)


class Space(Protocol):
    """One session in somebody else's keyspace."""

    @property
    def scheme(self) -> str:
        """The URL scheme, for messages."""

    @property
    def is_dated(self) -> bool:
        """Whether positions are kept."""

    @property
    def prefix(self) -> bytes:
        """What stands in front of every key of the session."""

    def cell(self, key: str) -> Cell | None:
        """Return where a key lies, or None where the layout has no place for it."""

    def is_leaf(self, key: str) -> bool:
        """Tell whether nothing can lie below a key."""

    def keys(self, line: Line, prefix: str) -> AsyncIterator[str]:
        """Iterate the keys that begin with a prefix, in any order."""

    async def positions(self, line: Line, keys: Sequence[str]) -> list[int]:
        """Return where keys stand; 0 where the layout does not keep it."""

    async def newest(self, line: Line, keys: Iterable[str]) -> int:
        """Return the highest position that keys beside these have."""

    def entered(self, key: str, at: int) -> list[Command]:
        """Return the commands by which the library's own index learns of a write."""

    async def left(self, line: Line, keys: Sequence[str]) -> list[Command]:
        """Return the commands by which the library's own index learns that keys are gone."""


class Unordered:
    """A space that keeps no positions, and so has no index to tell of a write."""

    is_dated = False

    async def positions(self, line: Line, keys: Sequence[str]) -> list[int]:
        """All stand at 0."""
        return [0] * len(keys)

    async def newest(self, line: Line, keys: Iterable[str]) -> int:
        """None is newer than another."""
        return 0

    def entered(self, key: str, at: int) -> list[Command]:
        """There is no index."""
        return []

    async def left(self, line: Line, keys: Sequence[str]) -> list[Command]:
        """There is no index."""
        return []


async def names(line: Line, beginning: bytes, kind: str) -> AsyncIterator[bytes]:
    """Walk the keys of one type that begin with some bytes, each once."""
    pattern = (
        b"".join(
            b"\\" + bytes((byte,)) if byte in b"*?[]^\\" else bytes((byte,)) for byte in beginning
        )
        + b"*"
    )
    seen: set[bytes] = set()
    cursor = b"0"
    while True:
        # In small letters: the driver would read the answer to the command that it knows.
        cursor, found = await line.call(
            "scan", cursor, "MATCH", pattern, "COUNT", 1000, "TYPE", kind
        )
        for name in found:
            if name not in seen and name.startswith(beginning):
                seen.add(name)
                yield name
        if int(cursor) == 0:
            return


async def asked(line: Line, commands: Sequence[Command]) -> list[object]:
    """Send plain commands, a bounded number at a time, and return the replies."""
    replies: list[object] = []
    for first in range(0, len(commands), AT_ONCE):
        replies += await line.call_many(commands[first : first + AT_ONCE])
    return replies
