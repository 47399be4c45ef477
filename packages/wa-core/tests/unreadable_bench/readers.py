"""Everybody who reads a session: pointed at a source and a target, each tells its refusal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO

from wa_core.cli.exits import code_of
from wa_core.cli.migrate import main
from wa_core.errors import WaError
from wa_core.migrate import Mark, check, copy, copy_all, pairs_of
from wa_core.state import AuthState, validate
from wa_core.storage import open_engine


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a reader was told instead of what it wanted to know."""

    code: str
    sentence: str


Reader = Callable[[str, str], Refusal | None]
"""Returns None where nothing was refused."""


def told(error: WaError) -> Refusal:
    return Refusal(error.code, str(error))


def alone(work: Callable[[str, str], Awaitable[object]]) -> Reader:
    """Run it in a loop of its own, as every command does."""

    def read(source: str, target: str) -> Refusal | None:
        async def run() -> None:
            await work(source, target)

        try:
            asyncio.run(run())
        except WaError as exc:
            return told(exc)
        return None

    return read


async def _open(source: str, target: str, *, create: bool = False, force: bool = False) -> None:
    async with await open_engine(source) as engine:
        await AuthState.open(engine, create, force=force)


async def begin(source: str, target: str) -> None:
    """Open a session; where nothing is, begin one."""
    await _open(source, target, create=True)


async def _validate(source: str, target: str) -> None:
    async with await open_engine(source, read_only=True) as engine:
        await validate(await AuthState.open(engine))


async def _copy_all(source: str, target: str) -> None:
    place, new_place = source.partition("#")[0], target.partition("#")[0]
    async for outcome in copy_all(await pairs_of(place, new_place, {})):
        if outcome.error is not None:
            raise outcome.error


class DifferentError(WaError):
    """A check found that the two sides are not the same."""

    code = "different"


async def _check(source: str, target: str, *, quick: bool = False) -> None:
    marks: list[Mark] = []
    found = await check(source, target, quick=quick, tell=lambda mark, _: marks.append(mark))
    if not found.is_equal:
        raise DifferentError(" ".join(marks))


def _command(*more: str) -> Reader:
    def read(source: str, target: str) -> Refusal | None:
        with redirect_stdout(StringIO()) as screen:
            code = main([*more, "--from", source, "--to", target, "--json"])
        last = json.loads(screen.getvalue().splitlines()[-1])
        if last["event"] != "error":
            return None if code == 0 else Refusal("different", f"ended with {code}")
        assert code == code_of(_error_of(last["code"]))
        return Refusal(last["code"], last["message"])

    return read


def _error_of(code: str) -> WaError:
    """Return an error with that code: the exit code depends on nothing else."""
    kinds = [WaError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    found = next(kind for kind in kinds if kind.code == code)
    return found.__new__(found)


OPENERS: dict[str, Reader] = {
    "open": alone(_open),
    "open, to begin one": alone(begin),
    "open by force": alone(partial(_open, force=True)),
    "open by force, to begin one": alone(partial(_open, create=True, force=True)),
    "validate": alone(_validate),
}
MOVERS: dict[str, Reader] = {
    "move": alone(copy),
    "move the auth state": alone(partial(copy, only=["auth"])),
    "move and keep": alone(partial(copy, keep_source=True)),
    "move by force": alone(partial(copy, force=True)),
    "dry run": alone(partial(copy, dry_run=True)),
    "move all sessions": alone(_copy_all),
    "wa-migrate": _command(),
    "wa-migrate --dry-run": _command("--dry-run"),
}
COMPARERS: dict[str, Reader] = {
    "check": alone(_check),
    "check, quick": alone(partial(_check, quick=True)),
    "wa-migrate check": _command("check"),
}


def opens(url: str) -> bool:
    """Tell whether a store is a session that opens."""
    return OPENERS["open"](url, "") is None
