"""The questions a session is asked, as commands: values, pages, counts and stretches.

A page of a folder is a stretch of the page index and nothing else: no document is read, nothing is
sorted [O6]. A prefix that ends within a name is a range of `_id`, and is sorted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wa_engine_mongo.keys import SessionKeys
from wa_engine_mongo.place import RECORDS
from wa_engine_mongo.records import Document

KEYS_AT_ONCE = 10_000
STRETCH = 256
_MOST = 2**62
_ORDER = {"at": -1, "k": 1}


def values(keys: SessionKeys, wanted: Sequence[str]) -> Document:
    """Ask for the values of some keys [G4]."""
    addresses = [keys.id(key) for key in wanted]
    return {
        "find": RECORDS,
        "filter": {"_id": addresses[0] if len(addresses) == 1 else {"$in": addresses}},
        "projection": {"v": 1, "c": 1},
        "batchSize": len(addresses) + 1,
    }


def page(keys: SessionKeys, prefix: str, offset: int, limit: int | None) -> Document:
    """Ask for a page of keys [O2]."""
    skip = min(offset, _MOST)
    if _is_folder(prefix):
        command: Document = {
            "find": RECORDS,
            "filter": {"s": keys.session, "d": prefix},
            "projection": {"_id": 0, "k": 1},
            "sort": _ORDER,
            "skip": skip,
            "hint": "page",
        }
        return command if limit is None else {**command, **_limited(limit)}
    pipeline: list[Document] = [
        {"$match": {"_id": keys.beginning(prefix)}},
        {"$project": {"_id": 0, "k": 1, "at": 1}},
        {"$sort": _ORDER},
        {"$skip": skip},
    ]
    if limit is not None:
        pipeline.append({"$limit": min(limit, _MOST)})
    return {"aggregate": RECORDS, "pipeline": pipeline, "cursor": {}, "allowDiskUse": True}


def count(keys: SessionKeys, prefix: str) -> Document:
    """Ask how many keys begin with a prefix [O6]."""
    inside: dict[str, Any] = {"_id": keys.beginning(prefix)}
    hint = "_id_"
    if _is_folder(prefix):
        inside, hint = {"s": keys.session, "d": prefix}, "page"
    pipeline: list[Document] = [{"$match": inside}, {"$count": "n"}]
    return {"aggregate": RECORDS, "pipeline": pipeline, "cursor": {}, "hint": hint}


def stretch(keys: SessionKeys, prefix: str, after: str | None) -> Document:
    """Ask for the next records of a scan, as many as one answer holds [S1]."""
    inside = keys.beginning(prefix)
    if after is not None:
        inside = {"$gt": keys.id(after), "$lt": inside["$lt"]}
    return {
        "find": RECORDS,
        "filter": {"_id": inside},
        "projection": {"v": 1, "c": 1, "at": 1},
        "sort": {"_id": 1},
        "batchSize": STRETCH,
        "singleBatch": True,
    }


def sessions() -> Document:
    """Ask for the names of the sessions that hold a record [N2]."""
    return {
        "aggregate": RECORDS,
        "pipeline": [{"$match": {"d": ""}}, {"$group": {"_id": "$s"}}],
        "cursor": {},
    }


def _is_folder(prefix: str) -> bool:
    return not prefix or prefix.endswith("/")


def _limited(limit: int) -> Document:
    return {"limit": min(limit, _MOST), "batchSize": min(limit + 1, 10_000)}
