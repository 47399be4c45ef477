"""What the stores of server engines hold before anything is measured.

Each dataset is a session of ours, and a table or collection of its own for the others; each is
filled once per run, through the subject's own `put`, and shared by all items that read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from benchmarks.place import CHAT, PARTS, contact_key, message_key

MESSAGES = f"chat/{CHAT}/message/"
PER_BATCH = 1000
"""Keys of one batch while a dataset is filled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much of everything."""

    rounds: int = 5
    saves: int = 30
    pre_keys: int = 100
    batches: int = 5
    read_at_once: int = 30
    reads: int = 30
    deletes: int = 30
    ingests: int = 60
    pages: int = 60
    short_chat: int = 1_000
    long_chat: int = 50_000
    contacts: int = 50_000
    few_keys: int = 1_000
    many_keys: int = 50_000
    most_keys: int = 500_000
    others: int = 100_000
    doomed: int = 10_000
    """Messages of the chat that is removed."""
    weighed: int = 20_000


TINY = Amounts(
    rounds=1,
    saves=2,
    pre_keys=5,
    batches=1,
    read_at_once=3,
    reads=2,
    deletes=2,
    ingests=2,
    pages=2,
    short_chat=5,
    long_chat=20,
    contacts=60,
    few_keys=60,
    many_keys=120,
    most_keys=240,
    others=30,
    doomed=10,
    weighed=40,
)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A store: its name, its keys and the size of each value."""

    name: str
    keys: Callable[[Amounts], Iterator[str]]
    value_bytes: int = 100


def _messages(count: int) -> Iterator[str]:
    """Name the keys of messages, three of each, without an end in the middle being avoided."""
    return (f"{message_key(number)}/{part}" for number in range(count) for part in PARTS)


def _long(amounts: Amounts) -> Iterator[str]:
    yield from _messages(amounts.long_chat)
    for number in range(amounts.contacts):
        yield f"{contact_key(number)}/index"


STATE = Dataset("state", lambda amounts: iter(()))
"""Credentials and pre-keys: empty at first."""
SHORT = Dataset("short", lambda amounts: _messages(amounts.short_chat))
LONG = Dataset("long", _long)
"""Messages of one chat, then contacts: four keys in all for each message."""
FEW = Dataset("few", lambda amounts: islice(_messages(amounts.few_keys), amounts.few_keys))
MANY = Dataset("many", lambda amounts: islice(_messages(amounts.many_keys), amounts.many_keys))
MOST = Dataset("most", lambda amounts: islice(_messages(amounts.most_keys), amounts.most_keys))
OTHERS = Dataset(
    "others", lambda amounts: islice(_messages(amounts.others), amounts.others), value_bytes=400
)
"""What is scanned, and what must not be touched while a chat beside is removed."""
