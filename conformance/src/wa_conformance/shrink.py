"""Makes a failing program short: what is left fails here and holds on the memory engine.

Dropping a statement may make the last assertion wrong instead of the engine; running every
candidate on the reference as well rules that out.
"""

from __future__ import annotations

import ast
import asyncio
import secrets
import textwrap
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from importlib import import_module
from urllib.parse import quote

from wa_core.errors import EngineClosedError, ReadOnlyError
from wa_core.storage import Batch, Engine, EngineUrl, MemoryEngine, MemoryStore, ReadOnlyEngine

from wa_conformance.program import Program
from wa_conformance.target import Target

BUDGET_S = 8.0
_FILE = "<program>"

Opener = Callable[[str, bool, Mapping[str, str]], Awaitable[Engine]]


def shrunk(lines: list[str], program: Program, target: Target) -> list[str]:
    """Drop statements as long as the rest still shows the same failure, and time allows."""
    trial = Trial(program, target)
    if not trial.shows(lines):
        return lines
    body = reduced(lines[:-1], lambda kept: trial.shows([*kept, lines[-1]]))
    lines = [*body, lines[-1]]
    # What is left may be there only because the last statement names its key.
    whole = lines
    kept = reduced(keys_named(whole[-1]), lambda keys: trial.shows(narrowed(whole, keys)))
    return narrowed(whole, kept)


def reduced(items: list[str], shows: Callable[[list[str]], bool]) -> list[str]:
    """Drop halves, quarters and so on down to single items, as long as it still shows."""
    deadline = time.monotonic() + BUDGET_S
    size = max(1, len(items) // 2)
    while True:
        before = len(items)
        place = 0
        while place < len(items):
            if time.monotonic() > deadline:
                return items
            candidate = items[:place] + items[place + size :]
            if shows(candidate):
                items = candidate
            else:
                place += size
        if size == 1 and len(items) == before:
            return items
        size = max(1, size // 2)


def keys_named(statement: str) -> list[str]:
    """List the strings that stand in lists and as keys of dicts."""
    found: dict[str, None] = {}
    for node in ast.walk(ast.parse(_function([statement]))):
        inner = node.elts if isinstance(node, ast.List) else ()
        for one in (*inner, *(node.keys if isinstance(node, ast.Dict) else ())):
            if isinstance(one, ast.Constant) and isinstance(one.value, str):
                found[one.value] = None
    return list(found)


def narrowed(lines: list[str], keys: list[str]) -> list[str]:
    """Write the program without the keys of its last statement that are not in `keys`."""
    gone = set(keys_named(lines[-1])) - set(keys)
    if not gone:
        return lines
    sets = tuple(f".set({key!r}, " for key in gone)
    body = [line for line in lines[:-1] if not any(begin in line for begin in sets)]
    tree = _Without(gone).visit(ast.parse(_function([lines[-1]])))
    return [*body, ast.unparse(tree.body[0].body[0])]


class _Without(ast.NodeTransformer):
    def __init__(self, gone: set[str]) -> None:
        self._gone = gone

    def visit_List(self, node: ast.List) -> ast.List:
        node.elts = [one for one in node.elts if not self._is_gone(one)]
        return node

    def visit_Dict(self, node: ast.Dict) -> ast.Dict:
        pairs = zip(node.keys, node.values, strict=True)
        left = [(key, value) for key, value in pairs if not self._is_gone(key)]
        node.keys, node.values = [key for key, _ in left], [value for _, value in left]
        return node

    def _is_gone(self, node: ast.expr | None) -> bool:
        return isinstance(node, ast.Constant) and node.value in self._gone


class Trial:
    """Runs candidates on the target and on the reference, and leaves nothing behind."""

    def __init__(self, program: Program, target: Target) -> None:
        self._program = program
        self._target = target

    def shows(self, lines: list[str]) -> bool:
        """Tell whether the last statement fails on the target, and nothing on the reference."""
        failure = self._run(lines, self._on_target)
        if failure is None or not _in_last(failure, lines):
            return False
        return self._run(lines, _on_reference()) is None

    async def _on_target(self, session: str, read_only: bool, params: Mapping[str, str]) -> Engine:
        plain = {name: value for name, value in params.items() if value != "***"}
        return await self._target.open(session, read_only=read_only, params=plain)

    def _run(self, lines: list[str], opener: Opener) -> Exception | None:
        try:
            with asyncio.Runner() as runner:
                runner.get_loop().set_exception_handler(lambda *_: None)
                runner.run(self._carried_out(lines, opener))
        except Exception as exc:
            return exc
        return None

    async def _carried_out(self, lines: list[str], opener: Opener) -> None:
        opened: list[tuple[str, Engine]] = []
        run = f"conf-{secrets.token_hex(4)}"

        async def open_target(
            _: str, session: str, *, read_only: bool = False, **params: str
        ) -> Engine:
            engine = await opener(session, read_only, params)
            opened.append((session, engine))
            return engine

        async def open_engine(url: str, *, read_only: bool = False) -> Engine:
            parsed = EngineUrl.parse(url)
            given = dict(parsed.params)
            return await open_target(url, parsed.session or "", read_only=read_only, **given)

        names: dict[str, object] = {
            "RUN": run,
            "Batch": Batch,
            "asyncio": asyncio,
            "open_engine": open_engine,
            "open_target": open_target,
            "quote": quote,
            "suppress": suppress,
        }
        for name, module in self._program.errors.items():
            names[name] = getattr(import_module(module), name)
        exec(compile(_function(lines), _FILE, "exec"), names)
        main = names["main"]
        try:
            await main()  # type: ignore[operator]
        finally:
            await _clean_up(opened, opener)
            await self._target.release()


async def _clean_up(opened: list[tuple[str, Engine]], opener: Opener) -> None:
    left = {session for session, _ in opened}
    for session, engine in opened:
        if session in left:
            with suppress(EngineClosedError, ReadOnlyError):
                await engine.clear()
                left.discard(session)
    for _, engine in opened:
        await engine.close()
    for session in left:
        engine = await opener(session, False, {})
        await engine.clear()
        await engine.close()


def _on_reference() -> Opener:
    stores: dict[str, MemoryStore] = {}

    async def opener(session: str, read_only: bool, params: Mapping[str, str]) -> Engine:
        engine = MemoryEngine(stores.setdefault(session, MemoryStore()))
        return ReadOnlyEngine(engine) if read_only else engine

    return opener


def _function(lines: list[str]) -> str:
    return "async def main():\n" + textwrap.indent("\n".join(lines), "    ")


def _in_last(failure: Exception, lines: list[str]) -> bool:
    begins = _function(lines[:-1]).count("\n") + 2
    places = [
        frame.lineno or 0
        for frame in traceback.extract_tb(failure.__traceback__)
        if frame.filename == _FILE
    ]
    return bool(places) and places[-1] >= begins
