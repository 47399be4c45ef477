"""The contract as a table: numbers that stay, levels that add up."""

from __future__ import annotations

import re

from wa_core.storage.clauses import BY_ID, CHAPTERS, CLAUSES, CORE, FULL, Level


def test_every_clause_has_a_number_a_chapter_and_a_sentence() -> None:
    for clause in CLAUSES:
        assert re.fullmatch(r"[A-Z][1-9]", clause.id)
        assert clause.id[0] in CHAPTERS
        assert clause.sentence.endswith(".")
        assert BY_ID[clause.id] is clause


def test_no_number_is_given_twice_and_none_is_left_out() -> None:
    for chapter in CHAPTERS:
        numbers = [int(clause.id[1:]) for clause in CLAUSES if clause.id[0] == chapter]

        assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_the_numbers_of_version_1_are_there_for_ever() -> None:
    counts = dict(K=4, V=3, G=4, W=6, C=4, O=6, S=1, L=3, D=2, F=2, X=2, N=3, U=4, Y=3)

    given = {chapter: sum(c.id[0] == chapter for c in CLAUSES) for chapter in CHAPTERS}

    assert all(given[chapter] >= number for chapter, number in counts.items())


def test_the_levels_are_sets_of_clauses_one_in_the_other() -> None:
    layout = {clause.id for clause in CLAUSES if clause.level is Level.LAYOUT}

    assert CORE < FULL
    assert layout == {"Y1", "Y2", "Y3"}
    assert FULL | layout == set(BY_ID)


def test_the_core_is_what_get_set_and_list_can_claim() -> None:
    chapters = {clause for clause in BY_ID if clause[0] in "KVGC"}

    assert chapters | {"W4", "W5", "O1", "O2", "O3", "O4", "O5", "N1"} == CORE
