"""From batches to a change: the net effect of operations in their order.

The idea: batches are staged one on top of the other over the index as it is, and only the last
word on each key counts.
"""

from __future__ import annotations

from collections.abc import Iterable

from sortedcontainers import SortedList
from wa_core.storage import Operation, PositionClock, Put
from wa_core.storage.keys import end_of

from wa_engine_file.change import Change, Record, facts_of
from wa_engine_file.contents import Index


class Plan:
    """Stages the batches of one commit."""

    def __init__(self, index: Index, clock: PositionClock) -> None:
        self._index = index
        self._clock = clock
        self._staged: dict[str, Record | None] = {}
        self._in_order: SortedList[str] | None = None

    def add(self, operations: Iterable[Operation]) -> None:
        """Stage the operations of one batch."""
        for operation in operations:
            if isinstance(operation, Put):
                at = self._clock.next() if operation.at is None else operation.at
                self._stage(operation.key, Record(operation.value, facts_of(operation.value, at)))
            else:
                self._cascade(operation.key)

    def clear(self) -> None:
        """Stage the removal of every key."""
        self._staged = dict.fromkeys(self._index.keys())
        self._in_order = None

    def change(self) -> Change:
        """Return the net effect."""
        index = self._index
        records = {key: record for key, record in self._staged.items() if record is not None}
        removed = [key for key, record in self._staged.items() if record is None and key in index]
        return Change(records, removed, last=self._clock.last)

    def _stage(self, key: str, record: Record) -> None:
        if self._in_order is not None and key not in self._staged:
            self._in_order.add(key)
        self._staged[key] = record

    def _cascade(self, key: str) -> None:
        if self._in_order is None:
            self._in_order = SortedList(self._staged)
        staged = list(self._in_order.irange(key + "/", end_of(key + "/"), inclusive=(True, False)))
        for gone in [*staged, *self._index.under(key)]:
            if gone not in self._staged:
                self._in_order.add(gone)
            self._staged[gone] = None
        if key in self._staged:
            self._staged[key] = None
