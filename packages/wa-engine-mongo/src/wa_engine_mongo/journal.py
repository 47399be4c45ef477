"""Placeholder."""

from __future__ import annotations

from collections.abc import Sequence

from wa_engine_mongo.head import Head
from wa_engine_mongo.keys import SessionKeys
from wa_engine_mongo.place import Place
from wa_engine_mongo.plan import Plan
from wa_engine_mongo.records import Document


class Journal:
    def __init__(self, place: Place, keys: SessionKeys, head: Head) -> None:
        pass

    async def apply(self, plan: Plan, epoch: int | None) -> None:
        raise NotImplementedError

    async def read(self, commands: Sequence[Document]) -> list[Document]:
        raise NotImplementedError
