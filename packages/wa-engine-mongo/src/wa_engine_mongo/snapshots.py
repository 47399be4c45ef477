"""Reading where the server keeps snapshots: replica sets and sharded clusters.

Each question is answered as of one moment that a majority has, so a batch is seen whole or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from wa_engine_mongo.place import Place
from wa_engine_mongo.records import Document


class Reader(Protocol):
    """Answers questions as of one moment."""

    async def read(self, commands: Sequence[Document]) -> list[Document]:
        """Return the rows that answer the commands."""


class Snapshots:
    """A reader over the server's own snapshots."""

    def __init__(self, place: Place) -> None:
        self._place = place

    async def read(self, commands: Sequence[Document]) -> list[Document]:
        """Ask each command at the newest moment that is safe from a roll-back."""
        found: list[Document] = []
        for command in commands:
            found += await self._place.rows({**command, "readConcern": {"level": "snapshot"}})
        return found
