"""What a step needs and what it leaves: records of Baileys' kinds, by kind and id.

`Records` is what a key store gives for `needs`, `Changes` what it takes; `batch_of` spells changes
for an engine, so that they can go into one `apply` with the message that they belong to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wa_core.errors import CorruptRecordError
from wa_core.signal.fields import ShapeError
from wa_core.signal.ratchets import Record, parse_record
from wa_core.storage import Batch
from wa_core.storage.layouts import dumps, key_of

Records = Mapping[str, Mapping[str, Any]]
"""Values as `layouts.loads` gives them, by kind and id; what is absent may be left out."""
Changes = dict[str, dict[str, Any]]
"""New values by kind and id; None where the record goes away."""
Needs = dict[str, list[str]]
"""The records that a step looks at."""


def batch_of(changes: Changes) -> Batch:
    """Spell changes as the writes of an engine."""
    batch = Batch()
    for kind, values in changes.items():
        for ident, value in values.items():
            if value is None:
                batch.delete(key_of(kind, ident))
            else:
                batch.put(key_of(kind, ident), dumps(value))
    return batch


def found(records: Records, kind: str, ident: str) -> Any:
    """Return a value, None where there is none."""
    return records.get(kind, {}).get(ident)


def ratchets_with(records: Records, address: str) -> Record:
    """Read the ratchets with an address; none where there is no record."""
    value = found(records, "session", address)
    if value is None:
        return Record()
    try:
        return parse_record(value)
    except ShapeError as exc:
        raise CorruptRecordError(key_of("session", address), str(exc)) from None
