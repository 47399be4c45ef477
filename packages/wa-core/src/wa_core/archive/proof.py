"""Reading an archive whole, which is the proof that it can be restored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from wa_core.archive.frames import About
from wa_core.archive.offloop import off_loop
from wa_core.archive.reader import ArchiveReader
from wa_core.crypto.derivation import Secret
from wa_core.storage import Entry

_STEP = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a reader found that saw every byte of an archive."""

    path: str
    about: About
    records: int
    size: int
    """The bytes of all keys and values."""
    file_size: int
    digest: str
    """The SHA-256 that the archive ends with, in hex."""


def unheard(records: int) -> None:
    """Listen to nothing."""


async def prove(
    path: str,
    secret: Secret,
    *,
    heard: Callable[[int], None] = unheard,
    seen: Callable[[Entry], None] | None = None,
) -> Proof:
    """Read an archive from its first byte to its last, or raise what is wrong with it.

    `heard` is told of every few thousand records that were read, `seen` gets each of them, in a
    thread.
    """
    reader = await off_loop(lambda: ArchiveReader(path, secret), undo=ArchiveReader.close)
    with reader:
        entries = reader.entries()
        size = 0

        def some() -> int:
            nonlocal size
            number = 0
            for _, entry in islice(entries, _STEP):
                size += len(entry.key.encode()) + len(entry.value)
                number += 1
                if seen is not None:
                    seen(entry)
            return number

        while number := await off_loop(some):
            heard(number)
        return Proof(
            path=path,
            about=reader.about,
            records=reader.end.count,
            size=size,
            file_size=reader.size,
            digest=reader.end.digest.hex(),
        )
