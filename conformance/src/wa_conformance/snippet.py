"""A failure as a program to paste: it fails by itself, without the suite's runner.

The lines that the probes recorded are the first choice. They are made short, and run once before
they are printed, in a process of their own; where they cannot tell the story, or do not fail, the
program calls `replay` for exactly that check and seed.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from functools import partial

from wa_core.storage.clauses import BY_ID

from wa_conformance.bench import Bench
from wa_conformance.check import Check
from wa_conformance.program import MAX_LINES
from wa_conformance.shrink import shrunk
from wa_conformance.violation import Violation

_PATIENCE_S = 60.0
_PRINTED_LINES = 200
_TOLD_LINES = 40
_wrapped = partial(textwrap.wrap, width=96, initial_indent="# ", subsequent_indent="# ")


def snippet_of(check: Check, bench: Bench, error: BaseException, *, verify: bool = True) -> str:
    """Write the program that shows the failure."""
    lines = _lines_of(error, bench)
    if isinstance(error, Violation) and not bench.program.gaps and len(lines) <= MAX_LINES:
        if verify:
            lines = shrunk(lines, bench.program, bench.target)
        written = _from_lines(check, bench, lines)
        if not verify or (len(lines) <= _PRINTED_LINES and fails(written, error)):
            return written
    return _from_replay(check, bench, lines)


def fails(program: str, error: BaseException) -> bool:
    """Run a program and tell whether it ends in an error of the kind that was seen."""
    cause = error.__cause__ or error
    kinds = {"AssertionError", "TimeoutError", type(cause).__name__}
    try:
        ended = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    heads = {line.partition(":")[0].rpartition(".")[2] for line in ended.stderr.splitlines()}
    return ended.returncode != 0 and not kinds.isdisjoint(heads)


def _lines_of(error: BaseException, bench: Bench) -> list[str]:
    return error.program if isinstance(error, Violation) else bench.program.sources()


def _heading(check: Check) -> list[str]:
    clause = f"{check.clause}: {BY_ID[check.clause].sentence}"
    return [f"# {check.id}", *_wrapped(clause)]


def _from_lines(check: Check, bench: Bench, lines: list[str]) -> str:
    body = textwrap.indent("\n".join(lines), "    ")
    run = 'RUN = f"conf-{secrets.token_hex(4)}"' if "RUN" in body else ""
    imports = {"import asyncio"}
    plain = {"import secrets"} if run else set()
    if "suppress(" in body:
        plain.add("from contextlib import suppress")
    ours = {name for name in bench.target.imports() if name.rpartition(" ")[2] + "(" in body}
    plain |= {name for name in ours if name.startswith("from urllib")}
    names = sorted(name for name in bench.program.errors.items() if name[0] in body)
    ours = {name for name in ours if not name.startswith("from urllib")}
    ours |= {f"from {module} import {name}" for name, module in names if module != "builtins"}
    if "Batch(" in body:
        ours.add("from wa_core.storage import Batch")
    parts = [
        *_heading(check),
        *sorted(imports | plain),
        "",
        *sorted(ours),
        "",
        *([run, ""] if run else []),
        "",
        "async def main() -> None:",
        body,
        "",
        "",
        "asyncio.run(main())",
    ]
    return "\n".join(parts) + "\n"


def _from_replay(check: Check, bench: Bench, lines: list[str]) -> str:
    told = [f"#   {row}" for line in lines[-_TOLD_LINES:] for row in line.split("\n")]
    if len(lines) > _TOLD_LINES:
        told.insert(0, f"#   ... {len(lines) - _TOLD_LINES} statements before")
    why = (
        f"# Not as single statements: {'; '.join(bench.program.gaps)}."
        if bench.program.gaps
        else ""
    )
    claim = "" if bench.claim is None else f', claim="{bench.claim}"'
    call = (
        f'replay({bench.target.shown!r}, "{check.id}", seed={bench.seed}, '
        f'profile="{bench.profile.name}"{claim})'
    )
    parts = [
        *_heading(check),
        *([why] if why else []),
        *(["# The last of what it did:", *told] if told else []),
        "from wa_conformance import replay",
        "",
        call,
    ]
    return "\n".join(parts) + "\n"
