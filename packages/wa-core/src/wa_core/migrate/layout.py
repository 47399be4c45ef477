"""What the layouts of other people's tools say of themselves, and our own need not.

Such an engine has `holds(key)`, whether there is a place for a key. It may have `check_value(key,
value)`, which raises for what it could not give back, and `canonical(key, value)`, what is left of
a value where the layout does not keep every byte: spaces around a JSON text, say. What two stores
hold is compared as both of them could have kept it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wa_core.errors import TargetUnfitError, WaError
from wa_core.storage import Engine, Entry, WrapperEngine


def check_holds(engine: Engine, entry: Entry) -> None:
    """Raise `TargetUnfitError` if a store could not give a record back; our own can."""
    holds, check_value = _own(engine, "holds"), _own(engine, "check_value")
    limit = engine.capabilities.max_value
    if holds is not None and not holds(entry.key):
        raise TargetUnfitError(f"its layout has no place for {entry.key!r}")
    if len(entry.value) > limit:
        what = f"a value of {len(entry.value)} bytes ({entry.key!r})"
        raise TargetUnfitError(f"{what} is over its limit of {limit}")
    if check_value is not None:
        try:
            check_value(entry.key, entry.value)
        except WaError as exc:
            raise TargetUnfitError(f"{entry.key!r}: {exc}") from exc


def reads_marker(engine: Engine) -> bool:
    """Tell whether every program that uses this layout looks at the marker of a move."""
    return _own(engine, "holds") is None


def keeps_positions(engine: Engine) -> bool:
    """Tell whether a store returns each record at the position it was put at."""
    return "O1" in engine.capabilities.claims


def is_still(engine: Engine) -> bool:
    """Tell whether nobody can write a store: an archive."""
    return _own(engine, "is_still") is not None


async def complete(engine: Engine) -> None:
    """Let a target that is written whole, an archive, know that it has everything."""
    own = _own(engine, "complete")
    if own is not None:
        await own()


async def most_bytes(engine: Engine) -> int:
    """Return what no value is larger than: the store's largest one, if it knows, or its limit.

    An engine that knows without reading has `largest_value()`. What a wrapper stores is no smaller
    than what it was given.
    """
    ask = _own(engine, "largest_value")
    largest: int | None = None if ask is None else await ask()
    return engine.capabilities.max_value if largest is None else largest


class Likeness:
    """When two stores count as holding the same."""

    def __init__(self, *engines: Engine) -> None:
        self.positions = all(keeps_positions(engine) for engine in engines)
        """Whether both keep positions, so that these have to be equal too."""
        found = (_own(engine, "canonical") for engine in engines)
        self._reductions = tuple(reduce for reduce in found if reduce is not None)

    def value(self, key: str, value: bytes) -> bytes:
        """Reduce a value to what both could have kept."""
        for reduce in self._reductions:
            value = reduce(key, value)
        return value

    def differs(self, entry: Entry, other: bytes) -> bool:
        """Tell whether a record and the other store's value under its key are different."""
        if entry.value == other:
            return False
        return self.value(entry.key, entry.value) != self.value(entry.key, other)


def _own(engine: Engine, name: str) -> Callable[..., Any] | None:
    while isinstance(engine, WrapperEngine):
        engine = engine.inner
    found: Callable[..., Any] | None = getattr(engine, name, None)
    return found
