"""No path makes an identity but one: by the text of the program, and by a watch that is tried here.

The one path is `AuthState.open(create=True)` behind a store that is proven to be empty. A second
caller, anywhere in what we ship, is found by the names it would have to use.
"""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from unreadable_bench.minting import IdentityMadeError, watched
from wa_core.state import AuthState, new_identity
from wa_core.storage import MemoryEngine

ROOT = Path(__file__).parents[3]
SHIPPED = sorted(
    path
    for place in ("packages/*/src", "conformance/src")
    for folder in ROOT.glob(place)
    for path in folder.rglob("*.py")
)
MAKERS = {"new_identity", "mint", "_begin", "Creds"}
"""The function that makes one, the names it goes by on its way, and the class of the result."""
ALLOWED = {
    ("state/auth.py", "AuthState.open", "_begin"),
    ("state/auth.py", "_begin", "mint"),
    ("state/identity.py", "new_identity", "Creds"),
}
MENTIONED = {"state/auth.py", "state/__init__.py"}
"""Who names the function at all: to be called by another name it would have to be."""

Call = tuple[str, str, str]


def calls(module: str, tree: ast.AST) -> Iterator[Call]:
    """Yield who calls a maker: the module, the function around, and the name."""

    def walk(node: ast.AST, around: str) -> Iterator[Call]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            around = f"{around}.{node.name}".lstrip(".")
        # `_begin` is a function of one module; methods of others may be called so.
        if isinstance(node, ast.Call) and (name := _name(node.func)) in (
            MAKERS if isinstance(node.func, ast.Name) else MAKERS - {"_begin"}
        ):
            yield module, around, name
        for child in ast.iter_child_nodes(node):
            yield from walk(child, around)

    return walk(tree, "")


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def mentions(tree: ast.AST) -> bool:
    return any(
        _name(node) == "new_identity"
        or (isinstance(node, ast.alias) and node.name == "new_identity")
        or (isinstance(node, ast.Constant) and node.value == "new_identity")
        for node in ast.walk(tree)
    )


def test_one_function_makes_identities_and_one_path_leads_to_it() -> None:
    found: set[Call] = set()
    named: set[str] = set()
    for path in SHIPPED:
        text = path.read_bytes()
        if not any(name.encode() in text for name in MAKERS):
            continue
        tree = ast.parse(text)
        module = path.as_posix().rpartition("/wa_core/")[2]
        found |= set(calls(module, tree))
        named |= {module} if mentions(tree) else set()

    assert len(SHIPPED) > 200
    assert found == ALLOWED
    assert named == MENTIONED


@pytest.mark.parametrize(
    "second",
    [
        "from wa_core.state import new_identity\ndef repair(): return new_identity()",
        "import wa_core.state as s\nclass Shop:\n    def open(self): return s.new_identity()",
        "from wa_core.state.auth import _begin\nasync def f(e): await _begin(e, None, print)",
        "from wa_core.state import Creds\nCreds(noise_key=None)",
    ],
)
def test_a_second_path_would_be_found(second: str) -> None:
    assert set(calls("somewhere.py", ast.parse(second))) - ALLOWED


def test_another_name_for_the_maker_would_be_found() -> None:
    for way in (
        "from wa_core.state import new_identity as fresh",
        "import wa_core.state\nmake = wa_core.state.new_identity",
        "import wa_core.state\nmake = getattr(wa_core.state, 'new_identity')",
    ):
        assert mentions(ast.parse(way))


def test_the_proof_of_emptiness_stands_before_the_maker() -> None:
    source = Path(ROOT / "packages/wa-core/src/wa_core/state/auth.py").read_text(encoding="utf-8")
    functions = {node.name: node for node in ast.walk(ast.parse(source)) if hasattr(node, "name")}

    # On the level of the function, where no branch leads past it, and nothing catches what it says.
    begin = functions["_begin"]
    steps = [ast.unparse(step) for step in begin.body[0].body]  # type: ignore[attr-defined]
    assert steps.index("await _check_empty(engine, create=True)") < steps.index("creds = mint()")
    for name in ("open", "_begin", "_check_empty"):
        assert not [node for node in ast.walk(functions[name]) if isinstance(node, ast.Try)]


def test_the_watch_sees_who_makes_an_identity() -> None:
    engine = MemoryEngine()

    with watched() as notes:
        with pytest.raises(IdentityMadeError):
            asyncio.run(_begin(engine))
        with pytest.raises(IdentityMadeError):
            new_identity()

    assert notes == ["the curve of an identity"] * 2
    assert asyncio.run(engine.count()) == 0


async def _begin(engine: MemoryEngine) -> None:
    await AuthState.open(engine, create=True)
