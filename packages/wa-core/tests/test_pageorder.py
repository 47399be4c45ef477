"""Rows in page order against a sorted list, with runs so short that they split and go."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from wa_core.storage import pageorder
from wa_core.storage.pageorder import PageOrder, Row

rows = st.tuples(st.integers(-9, 0), st.sampled_from(["a", "b", "b/c", "\ud7ff", "\U0010ffff"]))


@pytest.fixture(autouse=True, scope="module")
def short_runs() -> Iterator[None]:
    """Cut the lists short: with the real length they would hardly ever be cut."""
    patch = pytest.MonkeyPatch()
    patch.setattr(pageorder, "RUN", 4)
    yield
    patch.undo()


class PageOrderMachine(RuleBasedStateMachine):
    """Any sequence of changes, judged by sorting."""

    @initialize(start=st.sets(rows, max_size=30))
    def begin(self, start: set[Row]) -> None:
        self.model = set(start)
        self.order = PageOrder(sorted(start))

    @rule(row=rows)
    def add(self, row: Row) -> None:
        if row not in self.model:
            self.model.add(row)
            self.order.add(row)

    @rule(row=rows)
    def remove(self, row: Row) -> None:
        if row in self.model:
            self.model.remove(row)
            self.order.remove(row)
        else:
            with pytest.raises(KeyError):
                self.order.remove(row)

    @rule(begin=st.integers(0, 9), chosen=st.sets(rows, max_size=20))
    def remove_many(self, begin: int, chosen: set[Row]) -> None:
        for row in sorted(chosen)[begin:]:
            self.remove(row)

    @rule(offset=st.integers(0, 60), limit=st.none() | st.integers(0, 60))
    def page(self, offset: int, limit: int | None) -> None:
        stop = None if limit is None else offset + limit

        assert list(self.order.page(offset, limit)) == sorted(self.model)[offset:stop]

    @invariant()
    def whole(self) -> None:
        assert len(self.order) == len(self.model)
        assert list(self.order.page(0, None)) == sorted(self.model)

    @invariant()
    def no_list_is_empty_or_too_long(self) -> None:
        runs = self.order._runs
        assert all(len(run) <= 2 * pageorder.RUN for run in runs)
        assert all(runs) or runs == [[]]


TestPageOrderMachine = pytest.mark.once(PageOrderMachine.TestCase)
TestPageOrderMachine.settings = settings(max_examples=150, stateful_step_count=40)


def test_the_newest_row_is_appended_and_moves_nothing() -> None:
    order = PageOrder([])
    for position in range(9):
        order.add((-position, "k"))

    assert [len(run) for run in order._runs] == [4, 4, 1]
    assert list(order.page(0, 2)) == [(-8, "k"), (-7, "k")]
