"""One check, carried out: its loop, its clean-up, and what to say when it failed.

Every door goes through `perform`, which lets the check's own error out; `judge` turns that into one
of the four words.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import linecache
import time
import traceback
from collections.abc import Awaitable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, cast

from wa_conformance.bench import Bench, OccupiedError
from wa_conformance.check import Check
from wa_conformance.hooks import HookMissingError
from wa_conformance.patience import patience
from wa_conformance.profile import Profile
from wa_conformance.snippet import snippet_of
from wa_conformance.subject import Status, Subject
from wa_conformance.target import TargetError
from wa_conformance.violation import Violation, shown


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one check."""

    id: str
    clause: str
    sentence: str
    status: Status
    seconds: float = 0.0
    message: str = ""
    snippet: str = ""
    notes: list[str] = field(default_factory=list)


def bench_for(check: Check, subject: Subject, *, profile: Profile, seed: int) -> Bench:
    """Set up the surroundings of a check; its dice depend on the seed and on its id alone."""
    return Bench(
        subject.target,
        capabilities=subject.capabilities,
        claims=subject.claims,
        clause=check.clause,
        claim=subject.claim,
        profile=profile,
        seed=seed,
        dice=check.id,
    )


def perform(check: Check, bench: Bench) -> None:
    """Run a check in an event loop of its own; its error comes out as it is."""
    __tracebackhide__ = True
    with patience(bench.profile.patience_s, clause=check.clause):
        if inspect.iscoroutinefunction(check.run):
            with asyncio.Runner() as runner:
                _listen(runner.get_loop(), bench)
                runner.run(_carried_out(check, bench))
            return
        try:
            check.run(bench)
        finally:
            asyncio.run(bench.clean_up())


def judge(
    check: Check, subject: Subject, *, profile: Profile, seed: int, verify: bool = True
) -> Outcome:
    """Carry out a check if it is called for, and put what came of it in words."""
    ruling = subject.ruling(check)
    if ruling is not None:
        return Outcome(check.id, check.clause, check.sentence, ruling.status, 0.0, ruling.reason)
    bench = bench_for(check, subject, profile=profile, seed=seed)
    started = time.perf_counter()
    status, message, snippet = Status.PASSED, "", ""
    try:
        perform(check, bench)
    except (HookMissingError, OccupiedError, TargetError) as exc:
        status, message = Status.NOT_RUN, str(exc)
    except Exception as exc:
        status, message = Status.FAILED, describe(exc)
        snippet = snippet_of(check, bench, exc, verify=verify)
    seconds = time.perf_counter() - started
    return Outcome(
        check.id, check.clause, check.sentence, status, seconds, message, snippet, bench.notes
    )


def describe(error: BaseException) -> str:
    """Say what a check saw, with the values behind a bare `assert`."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, Violation):
        text = str(error)
    elif isinstance(error, AssertionError):
        text = str(error) or _of_bare_assert(error.__traceback__)
    else:
        text = f"{type(error).__name__}: {error}"
    return "\n".join([text, *getattr(error, "__notes__", [])])


async def _carried_out(check: Check, bench: Bench) -> None:
    __tracebackhide__ = True
    try:
        await cast("Awaitable[None]", check.run(bench))
    finally:
        await bench.clean_up()


def _listen(loop: asyncio.AbstractEventLoop, bench: Bench) -> None:
    def heard(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        bench.notes.append(f"{context['message']}: {error!r}" if error else context["message"])

    loop.set_exception_handler(heard)


def _of_bare_assert(trace: TracebackType | None) -> str:
    frames = list(traceback.walk_tb(trace))
    if not frames:
        return "an assertion failed"
    frame, line = frames[-1]
    statement = _statement_at(frame.f_code.co_filename, line)
    if statement is None:
        return f"an assertion failed: {linecache.getline(frame.f_code.co_filename, line).strip()}"
    values = [
        f"{name} = {shown(frame.f_locals[name])}"
        for name in sorted({node.id for node in ast.walk(statement) if isinstance(node, ast.Name)})
        if name in frame.f_locals
    ]
    return "\n".join([ast.unparse(statement), *(f"  where {value}" for value in values)])


def _statement_at(filename: str, line: int) -> ast.Assert | None:
    source = "".join(linecache.getlines(filename))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert) and node.lineno <= line <= (node.end_lineno or line):
            return node
    return None
