"""The ordered index against plain sorting, through every size at which a view comes and goes."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from wa_core.storage import OrderedIndex, check_prefix
from wa_core.storage.ordered import VIEW_FROM, VIEW_UNTIL

SEGMENTS = ["a", "a!", "a0", "b", "_at_", "%", "\ud7ff", "\ud7ffz", "\ue000", "\U0010ffff"]
keys = st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=3).map("/".join)
positions = st.integers(0, 5) | st.just(2**53 - 1)
many = st.dictionaries(keys, positions, max_size=200)
prefixes = st.one_of(
    st.just(""),
    keys,
    keys.map(lambda key: key + "/"),
    st.sampled_from(["\ud7ff", "a/\ud7ff", "\U0010ffff", "a/\U0010ffff", "a/bulk", "a/bulk/"]),
)


def sorted_page(
    model: dict[str, int], prefix: str, offset: int = 0, limit: int | None = None
) -> list[str]:
    """Say what a page is by the words of O2."""
    chosen = [key for key in model if key.startswith(prefix)]
    chosen.sort(key=lambda key: (-model[key], key.encode()))
    return chosen[offset:] if limit is None else chosen[offset : offset + limit]


def filled(model: dict[str, int]) -> OrderedIndex:
    index = OrderedIndex()
    for key, position in model.items():
        index.put(key, position)
    return index


def loaded(model: dict[str, int]) -> OrderedIndex:
    index = OrderedIndex()
    index.load(dict(model))
    return index


class IndexMachine(RuleBasedStateMachine):
    """Any sequence of changes, judged by sorting a dict."""

    @initialize(start=many)
    def begin(self, start: dict[str, int]) -> None:
        self.model = dict(start)
        self.index = loaded(start)

    @rule(key=keys, position=positions)
    def put(self, key: str, position: int) -> None:
        self.model[key] = position
        self.index.put(key, position)

    @rule(folder=keys, count=st.integers(1, VIEW_FROM + 10), position=positions)
    def put_many(self, folder: str, count: int, position: int) -> None:
        for number in range(count):
            self.put(f"{folder}/bulk/{number}", position + number // 3)

    @rule(key=keys)
    def discard(self, key: str) -> None:
        assert self.index.discard(key) == (key in self.model)
        self.model.pop(key, None)

    @rule(prefix=prefixes, left=st.integers(0, VIEW_FROM))
    def discard_many(self, prefix: str, left: int) -> None:
        for key in sorted_page(self.model, prefix)[left:]:
            self.discard(key)

    @rule(key=keys)
    def cascade(self, key: str) -> None:
        gone = self.index.under(key)

        expected = {k for k in self.model if k == key or k.startswith(key + "/")}
        assert sorted(gone) == sorted(expected)
        for found in gone:
            self.discard(found)
        assert self.index.under(key) == []
        assert not self.index.has_below(key)

    @rule(prefix=prefixes, offset=st.integers(0, 80), limit=st.none() | st.integers(0, 80))
    def page(self, prefix: str, offset: int, limit: int | None) -> None:
        expected = sorted_page(self.model, prefix, offset, limit)

        assert self.index.page(prefix, offset, limit) == expected

    @rule(prefix=prefixes)
    def look(self, prefix: str) -> None:
        below = sorted((k for k in self.model if k.startswith(prefix)), key=str.encode)

        assert list(self.index.keys(prefix)) == below
        assert self.index.count(prefix) == len(below)
        for after in below[:: max(1, len(below) // 3)]:
            rest = below[below.index(after) + 1 :]
            assert list(self.index.keys(prefix, after=after)) == rest

    @rule(key=keys)
    def look_at(self, key: str) -> None:
        assert self.index.position(key) == self.model.get(key)
        assert (key in self.index) == (key in self.model)
        assert self.index.has_below(key) == any(k.startswith(key + "/") for k in self.model)

    @invariant()
    def whole(self) -> None:
        assert len(self.index) == len(self.model) == self.index.count()
        assert self.index.page(limit=3) == sorted_page(self.model, "", limit=3)

    @invariant()
    def only_large_prefixes_have_a_view(self) -> None:
        for folder, view in self.index._views.items():
            assert len(view) == self.index.count(folder) >= VIEW_UNTIL
        assert all(count > 0 for folder, count in self.index._counts.items() if folder)


TestIndexMachine = pytest.mark.once(IndexMachine.TestCase)
TestIndexMachine.settings = settings(max_examples=120, stateful_step_count=30)


@given(many)
@settings(max_examples=60)
def test_loading_gives_what_filling_gives(model: dict[str, int]) -> None:
    one, other = loaded(model), filled(model)

    for prefix in {"", *(key + "/" for key in model), *(key[:1] for key in model)}:
        check_prefix(prefix)
        assert one.page(prefix) == other.page(prefix) == sorted_page(model, prefix)
        assert one.count(prefix) == other.count(prefix)
        assert one.count("nothing/") == other.count("nothing") == 0


def test_the_empty_index_answers_everything() -> None:
    index = loaded({})

    assert (len(index), index.count(), index.page(), list(index.keys())) == (0, 0, [], [])
    assert index.position("a") is None
    assert not index.discard("a")
    assert index.under("a") == []


def test_an_offset_past_the_end_is_nothing() -> None:
    index = filled({f"a/{n}": n for n in range(VIEW_FROM + 1)})

    for prefix in ("a/", "a", "", "a/1"):
        assert index.page(prefix, 1000, 5) == []
        assert index.page(prefix, 1000) == []


def test_a_prefix_without_a_slash_lists_siblings_too() -> None:
    index = filled({"chat/1": 1, "chat/10": 3, "chat/1/x": 2, "chat/2": 9})

    assert index.page("chat/1") == ["chat/10", "chat/1/x", "chat/1"]
    assert index.under("chat/1") == ["chat/1", "chat/1/x"]


def test_a_view_appears_at_its_size_and_goes_at_a_smaller_one() -> None:
    index = filled({f"a/{n:03}": n for n in range(VIEW_FROM - 1)})
    assert "a/" not in index._views

    index.put("a/last", 5)
    assert "a/" in index._views
    for n in range(VIEW_FROM - VIEW_UNTIL):
        index.discard(f"a/{n:03}")
    assert index.count("a/") == VIEW_UNTIL
    assert "a/" in index._views
    index.discard("a/last")
    assert "a/" not in index._views


class CountedPosition(int):
    """A position that counts how often it is compared."""

    comparisons: ClassVar[int] = 0

    def __neg__(self) -> CountedPosition:
        return CountedPosition(-int(self))

    def __eq__(self, other: object) -> bool:
        CountedPosition.comparisons += 1
        return int(self) == other

    def __lt__(self, other: int) -> bool:
        CountedPosition.comparisons += 1
        return int(self) < int(other)

    __hash__ = int.__hash__


def comparisons_at(size: int) -> dict[str, int]:
    """Count the comparisons of one page, one move, one cascade among `size` messages."""
    keys = [f"chat/X/message/{n:06}/index" for n in range(size)]
    CountedPosition.comparisons = 0
    index = OrderedIndex()
    index.load({key: CountedPosition(n) for n, key in enumerate(keys)})
    costs = {}

    def spent(name: str) -> None:
        costs[name] = CountedPosition.comparisons
        CountedPosition.comparisons = 0

    spent("load")
    index.page("chat/X/message/", 0, 50)
    spent("first page")
    index.page("", size // 2, 50)
    spent("page in the middle")
    index.count("chat/X/message/")
    spent("count")
    index.put(keys[size // 2], CountedPosition(size + 1))
    spent("move")
    for key in index.under("chat/X/message/000007"):
        index.discard(key)
    spent("cascade")
    return costs


def test_the_cost_of_a_page_does_not_grow_with_the_index() -> None:
    small, large = comparisons_at(500), comparisons_at(50_000)

    assert small["load"] >= 499
    for name in ("first page", "page in the middle", "count"):
        assert small[name] == large[name] == 0
    for name in ("move", "cascade"):
        assert 0 < large[name] < 3 * small[name] + 60


def test_the_counting_position_does_count() -> None:
    before = CountedPosition.comparisons

    ordered = sorted((CountedPosition(n), str(n)) for n in (3, 1, 2))

    assert [int(position) for position, _ in ordered] == [1, 2, 3]
    assert CountedPosition.comparisons > before


@pytest.mark.parametrize("folders", [1, 1000])
def test_small_folders_cost_no_view(folders: int) -> None:
    index = loaded({f"chat/{n}/{name}": n for n in range(folders) for name in "abc"})

    assert set(index._views) == ({"", "chat/"} if folders > 1 else set())
