"""What a check is, and the register of all of them.

A check is a free function with a stable id: the command line, pytest and the zoo run the very same
object. Its name is its id (`C1.sibling-prefix-is-spared`) and the first line of its docstring is
the sentence a reader gets. Ids are for ever: people write them into `--without`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib import import_module

from wa_core.storage.clauses import BY_ID, CLAUSES

from wa_conformance.bench import Bench
from wa_conformance.profile import PROFILES

Run = Callable[[Bench], Awaitable[None] | None]
"""An async function, or a plain one that runs event loops of its own (a state machine)."""


class Need(StrEnum):
    """What a check needs of a target beyond an engine that opens."""

    PERSISTENT = "a store that outlives its engine"
    PROCESSES = "a store that another process can open"
    SHARED = "an engine that takes several writers"
    SECOND_OPENER = "a second engine object on the session"
    NOT_SHARED = "an engine that takes one writer"
    URL = "a target that is an engine URL"
    DAMAGE = "the hook damage(engine, key)"
    STALL = "the hooks stall(engine) and resume(engine)"
    RESIDUE = "the hook residue(engine)"
    NEWER = "the hook pretend_newer(engine)"
    WEAK_PLACES = "the hook weak_places()"


@dataclass(frozen=True, slots=True)
class Check:
    """One promise of the contract, tried out."""

    id: str
    clause: str
    sentence: str
    run: Run = field(repr=False)
    needs: frozenset[Need] = frozenset()
    also: tuple[str, ...] = ()
    """Further clauses that it leans on: it runs where all of them are claimed."""
    profiles: frozenset[str] = frozenset(PROFILES)
    refuses: tuple[str, ...] = ()
    """For a check of a clean refusal: it runs where none of these clauses is claimed."""


_REGISTER: dict[str, Check] = {}


def check(
    clause: str,
    *needs: Need,
    also: tuple[str, ...] = (),
    profiles: Iterable[str] = PROFILES,
) -> Callable[[Run], Run]:
    """Register a function as a check of `clause`; it runs where the clause is claimed."""

    def register(run: Run) -> Run:
        _add(run, clause, frozenset(needs), also=also, profiles=profiles)
        return run

    return register


def refusal(*clauses: str, profiles: Iterable[str] = PROFILES) -> Callable[[Run], Run]:
    """Register a check that runs where none of `clauses` is claimed: a refusal must be clean."""

    def register(run: Run) -> Run:
        _add(run, clauses[0], frozenset(), profiles=profiles, refuses=clauses)
        return run

    return register


@cache
def all_checks() -> tuple[Check, ...]:
    """Load every check, in the order of the contract, within a clause as they are written."""
    for name in import_module("wa_conformance.checks").MODULES:
        import_module(f"wa_conformance.checks.{name}")
    order = {clause.id: place for place, clause in enumerate(CLAUSES)}
    return tuple(sorted(_REGISTER.values(), key=lambda found: order[found.clause]))


def check_by_id(name: str) -> Check:
    """Find one check, or raise `KeyError`."""
    all_checks()
    return _REGISTER[name]


def _add(
    run: Run,
    clause: str,
    needs: frozenset[Need],
    *,
    also: tuple[str, ...] = (),
    profiles: Iterable[str],
    refuses: tuple[str, ...] = (),
) -> None:
    name = str(getattr(run, "__name__", ""))
    sentence = (run.__doc__ or "").strip().partition("\n")[0]
    for known in (clause, *also, *refuses):
        if known not in BY_ID:
            raise ValueError(f"{name}: the contract has no clause {known!r}")
    if not sentence:
        raise ValueError(f"{name}: the first line of the docstring is what a reader gets")
    made = Check(
        id=f"{clause}.{name.replace('_', '-')}",
        clause=clause,
        sentence=sentence,
        run=run,
        needs=needs,
        also=also,
        profiles=frozenset(profiles),
        refuses=refuses,
    )
    if made.id in _REGISTER:
        raise ValueError(f"two checks are called {made.id}")
    _REGISTER[made.id] = made
