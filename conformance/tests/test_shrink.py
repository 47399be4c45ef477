from __future__ import annotations

from wa_conformance.program import Program
from wa_conformance.shrink import keys_named, narrowed, reduced, shrunk
from wa_conformance.target import parse_target

OPEN = "engine = await open_target('faulty:CutsNeighbours', RUN)"


def short(*lines: str) -> list[str]:
    return shrunk([OPEN, *lines], Program("conf-x"), parse_target("faulty:CutsNeighbours"))


def test_what_does_not_matter_is_dropped() -> None:
    noise = [f"await engine.set('noise/{n}', b'x')" for n in range(30)]
    needed = ["await engine.set('chat/10', b'x')", "await engine.set('chat/1', None)"]

    left = short(*noise, *needed, *noise, "assert await engine.get('chat/10') == b'x'")

    assert left == [OPEN, *needed, "assert await engine.get('chat/10') == b'x'"]


def test_an_assertion_is_not_made_wrong_to_fail() -> None:
    # Without the first line the assertion fails too, on every engine: that shows nothing.
    needed = ["await engine.set('ab', b'x')", "await engine.set('a', None)"]

    left = short(*needed, "assert await engine.list() == ['ab']")

    assert left == [OPEN, *needed, "assert await engine.list() == ['ab']"]


def test_an_expectation_gets_shorter_with_its_program() -> None:
    keys = ["ab", "x", "y", "z"]
    sets = [f"await engine.set({key!r}, b'1', at={n})" for n, key in enumerate(keys)]

    left = short(
        *sets, "await engine.set('a', None)", f"assert await engine.list() == {keys[::-1]}"
    )

    assert left == [
        OPEN,
        sets[0],
        "await engine.set('a', None)",
        "assert await engine.list() == ['ab']",
    ]


def test_a_program_that_holds_is_left_as_it_is() -> None:
    lines = ["await engine.set('a', b'x')", "assert await engine.get('a') == b'x'"]

    assert short(*lines) == [OPEN, *lines]


def test_a_program_that_fails_before_its_end_is_left_as_it_is() -> None:
    lines = ["assert await engine.get('a') == b'x'", "assert True"]

    assert short(*lines) == [OPEN, *lines]


def test_halves_are_tried_before_single_items() -> None:
    tried: list[int] = []

    def shows(items: list[str]) -> bool:
        tried.append(len(items))
        return {"3", "70"} <= set(items)

    assert reduced([str(n) for n in range(100)], shows) == ["3", "70"]
    assert tried[0] == 50
    assert len(tried) < 60


def test_keys_are_found_in_lists_and_dicts() -> None:
    assert keys_named("assert sorted(await e.list('p')) == ['a', 'b']") == ["a", "b"]
    assert keys_named("assert await e.get_many(['a']) == {'c': b'1'}") == ["c", "a"]


def test_narrowing_takes_a_key_from_both_sides() -> None:
    lines = ["await e.set('a', b'1')", "await e.set('c', b'1')", "assert e == ['a', 'c']"]

    assert narrowed(lines, ["a"]) == [lines[0], "assert e == ['a']"]
    assert narrowed(lines, ["a", "c"]) == lines
