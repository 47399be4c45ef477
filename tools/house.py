"""The rules of the house that no linter knows; `python -m tools.house` prints each breach.

A breach fails. A long function only gets a line in the listing: sometimes forty-five lines are
one thought, and cutting them makes it two half thoughts.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.workspace import LOCK, ROOT

MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 40
NAMES_THAT_SAY_NOTHING = frozenset({"utils", "helpers", "common", "misc"})


def main() -> int:
    """Check every module of the tree and the lock."""
    breaches, long_functions = list(lock_breaches()), []
    for path in modules():
        text = path.read_text(encoding="utf-8")
        place = path.relative_to(ROOT)
        breaches += [f"{place}{breach}" for breach in module_breaches(path, text)]
        long_functions += [f"{place}{found}" for found in functions_too_long(ast.parse(text))]
    if long_functions:
        print(f"functions over {MAX_FUNCTION_LINES} lines (a hint, not a failure):")
        print(*sorted(long_functions), sep="\n")
    print(*breaches, sep="\n", end="\n" if breaches else "")
    print(f"house rules: {len(breaches)} breaches")
    return 1 if breaches else 0


def modules(root: Path = ROOT) -> Iterator[Path]:
    """Walk the hand-written modules, tests included."""
    for path in sorted(root.rglob("*.py")):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        generated = path.name.endswith("_pb2.py") or path.name == "tokens.py"
        if not hidden and not generated:
            yield path


def module_breaches(path: Path, text: str) -> Iterator[str]:
    """Name what is wrong with one module, each with its line."""
    length = text.count("\n")
    if length > MAX_MODULE_LINES:
        yield f": {length} lines, the limit is {MAX_MODULE_LINES}: a module is one noun"
    if path.stem in NAMES_THAT_SAY_NOTHING:
        yield f": the name {path.stem!r} says nothing: a module is one noun"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in names(node.test):
            yield f":{node.lineno}: `if TYPE_CHECKING`: an arrow is wrong"


def names(tree: ast.AST) -> Iterator[str]:
    """List the names that an expression reads, `typing.X` as `X`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def functions_too_long(tree: ast.AST) -> Iterator[str]:
    """Name the functions that are over the limit, with their length."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            length = node.end_lineno - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield f":{node.lineno}: {node.name} has {length} lines"


def lock_breaches() -> Iterator[str]:
    """Hold the lock to hashes: an address in it would bind every machine to one registry."""
    for number, line in enumerate(LOCK.read_text(encoding="utf-8").splitlines(), start=1):
        if "://" in line or line.startswith(("-i ", "--index", "--extra-index", "--find-links")):
            yield f"{LOCK.name}:{number}: names a place; run ./dev lock"


if __name__ == "__main__":
    sys.exit(main())
