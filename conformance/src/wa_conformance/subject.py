"""The engine under judgement: what it says of itself, and which checks that calls for.

Whether a check runs is decided here, once, for every door. The rule: what is claimed is run, and
what cannot be run although it is claimed is a failure, unless the engine's nature leaves nothing
to run it on.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version

from wa_core.errors import WaError
from wa_core.storage import CORE, FULL, Capabilities, Durability, Engine, Level

from wa_conformance.check import Check, Need
from wa_conformance.target import Target, TargetError

HOOK_NAMES = {
    Need.DAMAGE: ("damage",),
    Need.STALL: ("stall", "resume"),
    Need.RESIDUE: ("residue",),
    Need.NEWER: ("pretend_newer",),
    Need.WEAK_PLACES: ("weak_places",),
}


class Status(StrEnum):
    """What became of a check: one of four words."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CLAIMED = "not claimed"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Ruling:
    """A check that is not run, and why."""

    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class Subject:
    """A target that was opened once, and the clauses it is held to."""

    target: Target
    capabilities: Capabilities
    claims: frozenset[str]
    engine: str
    """The class of the engine, with its module."""
    claim: str | None = None
    """The level that overrides what the engine claims."""

    @classmethod
    def of(cls, target: Target, *, claim: str | None = None) -> Subject:
        """Open the target once and read what it claims; `claim` overrides that."""
        engine = asyncio.run(_looked_at(target))
        own = engine.capabilities.claims
        claims = own
        if claim is not None:
            claims = CORE if Level(claim) is Level.CORE else FULL | own
        kind = type(engine)
        name = f"{kind.__module__}.{kind.__qualname__}"
        return cls(target, engine.capabilities, claims, name, claim)

    @property
    def package(self) -> tuple[str, str]:
        """The distribution that the engine comes from, and its version."""
        return _distribution(self.engine.partition(".")[0])

    def calls_for(self, check: Check, *, profile: str) -> bool:
        """Tell whether the check belongs into the report at all."""
        if profile not in check.profiles:
            return False
        if check.refuses:
            return not (self.capabilities.claims | self.claims).intersection(check.refuses)
        return True

    def ruling(self, check: Check) -> Ruling | None:
        """Say why a check is not run; None when it is."""
        if check.refuses:
            return None
        for clause in (check.clause, *check.also):
            if clause not in self.claims:
                return Ruling(Status.NOT_CLAIMED, f"{clause} is not claimed")
        for need in sorted(check.needs):
            if (found := self._unmet(need, check.clause)) is not None:
                return found
        return None

    def _unmet(self, need: Need, clause: str) -> Ruling | None:
        if need in HOOK_NAMES:
            return self._unmet_hook(need, clause)
        volatile = self.capabilities.durability is Durability.VOLATILE
        shared = self.capabilities.shared
        reasons = {
            Need.PERSISTENT: volatile and "the engine is volatile",
            Need.PROCESSES: volatile and "the engine is volatile",
            Need.SHARED: not shared and "the engine takes one writer",
            Need.NOT_SHARED: shared and "the engine takes several writers",
            Need.SECOND_OPENER: not (shared or self.target.opens_readers)
            and "the engine takes one writer, and its factory has no parameter read_only",
            Need.URL: not self.target.is_url and "the target is no URL",
        }
        if need is Need.PROCESSES and not volatile and not self.target.reachable:
            fix = "give the factory as package.module:factory"
            return Ruling(Status.NOT_RUN, f"another process cannot import it: {fix}")
        return Ruling(Status.NOT_CLAIMED, str(reasons[need])) if reasons[need] else None

    def _unmet_hook(self, need: Need, clause: str) -> Ruling | None:
        if self.target.hooks.has(*HOOK_NAMES[need]):
            return None
        if self.capabilities.durability is Durability.VOLATILE:
            return Ruling(Status.NOT_CLAIMED, f"a volatile engine without {need.value}")
        return Ruling(
            Status.NOT_RUN,
            f"{clause} is claimed, and its check needs {need.value}: provide it, or drop the claim "
            "(docs/write-your-own-engine.md)",
        )


async def _looked_at(target: Target) -> Engine:
    try:
        engine = await target.open(f"conf-{secrets.token_hex(4)}")
        await engine.close()
    except (TargetError, WaError):
        raise
    except Exception as exc:
        raise TargetError(f"{target.shown} cannot be opened: {exc!r}") from exc
    finally:
        await target.release()
    return engine


@cache
def _distribution(module: str) -> tuple[str, str]:
    # An editable install lists no files; then the rule "one dist, one name" leads to it.
    for name in (*packages_distributions().get(module, ()), module.replace("_", "-")):
        with suppress(PackageNotFoundError):
            return name, version(name)
    return "", ""
