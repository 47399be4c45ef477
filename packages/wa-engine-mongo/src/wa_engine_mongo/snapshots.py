"""Reading where the server keeps snapshots: replica sets and sharded clusters.

Each question is answered as of one moment that a majority has, so a batch is seen whole or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from wa_engine_mongo.keys import SessionKeys
from wa_engine_mongo.place import RECORDS, Place
from wa_engine_mongo.records import Document


class Reader(Protocol):
    """Answers questions as of one moment."""

    async def read(self, commands: Sequence[Document]) -> list[Document]:
        """Return the rows that answer the commands."""


class Snapshots:
    """A reader over the server's own snapshots."""

    def __init__(self, place: Place, keys: SessionKeys) -> None:
        self._place = place
        self._keys = keys
        self._heard: object = None
        """The election of the primary that is known to be up to date."""

    async def read(self, commands: Sequence[Document]) -> list[Document]:
        """Ask each command at the newest moment that is safe from a roll-back."""
        while True:
            election = self._place.election
            if election != self._heard:
                await self._catch_up()
                self._heard = election
            found: list[Document] = []
            for command in commands:
                found += await self._place.rows({**command, "readConcern": {"level": "snapshot"}})
            if self._place.election == election:
                return found

    async def _catch_up(self) -> None:
        """Wait until a new primary knows how much of what it has is safe; until then it shows
        less than was acknowledged [W5]."""
        await self._place.rows(
            {
                "find": RECORDS,
                "filter": {"_id": self._keys.head},
                "projection": {"_id": 1},
                "limit": 1,
                "readConcern": {"level": "linearizable"},
            }
        )
