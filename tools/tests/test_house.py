"""Each rule of the house bites where it should, and only there."""

from __future__ import annotations

import ast
from pathlib import Path

from tools.house import functions_too_long, module_breaches


def test_a_short_module_with_a_noun_for_a_name_is_fine() -> None:
    assert list(module_breaches(Path("keys.py"), "KEYS = 1\n")) == []


def test_a_module_over_the_limit_is_a_breach() -> None:
    assert len(list(module_breaches(Path("keys.py"), "\n" * 401))) == 1


def test_a_name_that_says_nothing_is_a_breach() -> None:
    assert len(list(module_breaches(Path("utils.py"), ""))) == 1


def test_both_spellings_of_type_checking_are_found() -> None:
    text = "if TYPE_CHECKING:\n    a = 1\nif typing.TYPE_CHECKING:\n    b = 1\n"

    assert len(list(module_breaches(Path("keys.py"), text))) == 2


def test_a_long_function_is_named_with_its_length() -> None:
    tree = ast.parse("def long():\n" + "    a = 1\n" * 40)

    assert list(functions_too_long(tree)) == [":1: long has 41 lines"]
