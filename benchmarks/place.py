"""Where the measurements take place: a folder on a real disk, filled once and used by many items.

The idea: a folder without `.wa` is adopted by the file engine, so a store of any size is laid
down file by file, in the layout of Y1, without asking the engine that is to be measured.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wa_core.storage import Batch

CHAT = "99900000000@s.whatsapp.net"
PARTS = ("index", "raw", "content")
PART_BYTES = (300, 600, 300)
CREDENTIALS_BYTES = 4096
PRE_KEY_BYTES = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much of everything; `--quick` shrinks all of it."""

    rounds: int = 5
    saves: int = 30
    pre_keys: int = 100
    pre_key_batches: int = 2
    messages: int = 50_000
    contacts: int = 50_000
    ingests: int = 60
    ingests_unsynced: int = 400
    ingests_to_the_end: int = 200
    pages: int = 3000
    small_messages: int = 167
    large_messages: int = 166_667
    opened_messages: int = 33_333
    promise: str = "?durability=power"
    """What stores are opened with where the floor syncs: a disk that cannot, is refused."""


QUICK = Sizes(
    rounds=1,
    saves=2,
    pre_keys=5,
    pre_key_batches=1,
    messages=30,
    contacts=20,
    ingests=2,
    ingests_unsynced=3,
    ingests_to_the_end=2,
    pages=3,
    small_messages=10,
    large_messages=100,
    opened_messages=30,
    promise="",
)


class Place:
    """A folder, the sizes, and values to write."""

    def __init__(self, folder: Path, sizes: Sizes) -> None:
        self.folder = folder
        self.sizes = sizes
        self._dice = random.Random(1)
        self._messages = 0
        sizes_of_parts = zip(PARTS, PART_BYTES, strict=True)
        self.parts = [(name, self.value(size)) for name, size in sizes_of_parts]

    def value(self, size: int) -> bytes:
        """Make up some bytes."""
        return self._dice.randbytes(size)

    def store(self, name: str, *, messages: int = 0, contacts: int = 0) -> Path:
        """Return a folder with that many messages and contacts; lay it down if it is not there."""
        base = self.folder / name
        if not base.exists():
            base.mkdir(mode=0o700)
            for message in range(messages):
                lay_down(f"{base}/{spelled(message_key(message))}", PARTS)
            for contact in range(contacts):
                lay_down(f"{base}/{spelled(contact_key(contact))}", PARTS[:1])
            os.sync()
        return base

    def next_message(self) -> str:
        """Return the key of a message that no store has seen, as each store sees it in turn."""
        self._messages += 1
        return f"chat/{CHAT}/message/3EB1{self._messages:012X}"

    def batch(self, message: str) -> Batch:
        """Build the batch that ingests a message: three keys, 1.2 KB together."""
        batch = Batch()
        for name, value in self.parts:
            batch.put(f"{message}/{name}", value)
        return batch


def spelled(key: str) -> str:
    """Spell an ordinary key as the path that Y1 gives it."""
    return key.replace("@", "_at_")


def message_key(number: int) -> str:
    """Name a message of the one chat; its parts lie below."""
    return f"chat/{CHAT}/message/3EB0{number:012X}"


def contact_key(number: int) -> str:
    """Name a contact; its index lies below."""
    return f"contact/999{number:08}@s.whatsapp.net"


def all_keys(*, messages: int, contacts: int = 0) -> Iterator[str]:
    """Name the keys of so many messages and contacts."""
    for number in range(messages):
        yield from (f"{message_key(number)}/{part}" for part in PARTS)
    for number in range(contacts):
        yield f"{contact_key(number)}/{PARTS[0]}"


def chats(place: Place) -> str:
    """Return the URL of the store that messages go into, laid down if it is not there."""
    sizes = place.sizes
    base = place.store("chats", messages=sizes.messages, contacts=sizes.contacts)
    return f"file:{base}"


def lay_down(folder: str, names: tuple[str, ...]) -> None:
    """Make a folder of empty files: nothing that is measured reads them."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for name in names:
        os.close(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT, 0o600))
