"""A batch as the journal of a standalone server holds it, and the commands that carry it out.

The idea: whoever carries a batch out may be late, or be two. So a removal spares what its own or a
later generation wrote, and the values are copied by the server itself, out of the journal, by a
command that finds nothing any more once the batch is done or somebody else's to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

from wa_engine_mongo.keys import SessionKeys
from wa_engine_mongo.place import JOURNAL, RECORDS
from wa_engine_mongo.plan import Plan
from wa_engine_mongo.records import Document, document

INLINE_BYTES = 2 * 1024 * 1024
"""A batch of this size lies in the head itself; a larger one in parts beside it."""
PART_BYTES = 10 * 1024 * 1024
START_MS, SLACK_MS = 300, 200
"""How late the copying may begin, and how late the server may notice that its time is over."""
_BYTES_PER_MS = 20_000
_STATEMENTS = 5_000


@dataclass(slots=True)
class Pending:
    """A batch that is, or is about to be, committed."""

    token: str
    generation: int
    run_ms: int
    """How long the copying may take."""
    claim: str
    """Who may copy: a name that is used once."""
    inline: Document | None
    """What is to be done, or None when it lies in parts."""


def fresh_claim() -> str:
    """Make a name that nobody has used."""
    return uuid4().hex


def parts_of(keys: SessionKeys, plan: Plan) -> list[Document]:
    """Write a plan as documents that the journal takes; a small plan is one."""
    parts: list[Document] = [{"gone": [], "puts": []}]
    room = PART_BYTES
    steps: list[tuple[str, object, int]] = [("gone", key, len(key) * 4 + 20) for key in plan.gone]
    for put in plan.puts:
        found = document(keys, put.key, put.value)
        # A position of the session's own is counted from the first of this batch.
        found |= {"turn": put.turn} if put.at is None else {"at": put.at}
        steps.append(("puts", found, len(put.value) + 20 * len(put.key) + 200))
    for name, step, cost in steps:
        if cost > room and room < PART_BYTES:
            parts.append({"gone": [], "puts": []})
            room = PART_BYTES
        parts[-1][name].append(step)
        room -= cost
    return parts


def pending_of(parts: list[Document], plan: Plan) -> Pending:
    """Make the batch of a plan, not yet committed."""
    size = sum(len(put.value) for put in plan.puts)
    small = len(parts) == 1 and size <= INLINE_BYTES
    return Pending(
        token=fresh_claim(),
        generation=0,
        run_ms=500 + size // _BYTES_PER_MS + len(plan.puts),
        claim=fresh_claim(),
        inline={**parts[0], "everything": plan.everything} if small else None,
    )


def removals(keys: SessionKeys, todo: Document, generation: int) -> Iterator[Document]:
    """Write the commands that remove what a batch removes: harmless at any later time."""
    older = {"g": {"$not": {"$gte": generation}}}
    deletes: list[Document] = []
    if todo.get("everything"):
        deletes.append({"q": {"_id": keys.all, **older}, "limit": 0})
    for key in todo["gone"]:
        deletes.append({"q": {"_id": keys.id(key), **older}, "limit": 1})
        deletes.append({"q": {"_id": keys.below(key), **older}, "limit": 0})
    for at in range(0, len(deletes), _STATEMENTS):
        yield {"delete": RECORDS, "deletes": deletes[at : at + _STATEMENTS], "ordered": False}


def copying(keys: SessionKeys, pending: Pending) -> Document:
    """Write the command that copies the values of a batch to their places, if it still may.

    The last thing it writes is a mark in the head that it has run: without the mark, nothing says
    that the server found the batch at all.
    """
    in_time = {"$lt": ["$$NOW", {"$subtract": ["$pending.until", pending.run_ms + SLACK_MS]}]}
    mine = {
        "_id": keys.head,
        "generation": pending.generation,
        "pending.claim": pending.claim,
        "$expr": in_time,
    }
    positioned = {
        "g": pending.generation,
        "at": {"$ifNull": ["$put.at", {"$add": ["$first", "$put.turn"]}]},
    }
    mark = {"_id": keys.head, "ran": pending.claim}
    source = _INLINE if pending.inline is not None else _IN_PARTS
    return {
        "aggregate": RECORDS,
        "pipeline": [
            {"$match": mine},
            *source,
            {"$unwind": "$put"},
            {"$replaceWith": {"$mergeObjects": ["$put", positioned]}},
            {"$unset": "turn"},
            {
                "$unionWith": {
                    "coll": RECORDS,
                    "pipeline": [{"$match": mine}, {"$replaceWith": mark}],
                }
            },
            _MERGE,
        ],
        "cursor": {},
        "maxTimeMS": pending.run_ms,
    }


_INLINE: list[Document] = [{"$project": {"first": "$pending.first", "put": "$pending.todo.puts"}}]
_IN_PARTS: list[Document] = [
    {
        "$lookup": {
            "from": JOURNAL,
            "localField": "pending.token",
            "foreignField": "token",
            "as": "part",
        }
    },
    {"$unwind": "$part"},
    {"$project": {"first": "$pending.first", "put": "$part.puts"}},
]
_MARKED: Document = {"$mergeObjects": ["$$ROOT", {"ran": "$$new.ran"}]}
_NEWER: Document = {
    "$cond": [{"$gte": [{"$ifNull": ["$g", -1]}, "$$new.g"]}, "$$ROOT", "$$new"],
}
_MERGE: Document = {
    "$merge": {
        "into": RECORDS,
        "on": "_id",
        "whenMatched": [
            {
                "$replaceWith": {
                    "$cond": [{"$eq": [{"$type": "$$new.ran"}, "string"]}, _MARKED, _NEWER]
                }
            }
        ],
        "whenNotMatched": "insert",
    }
}
