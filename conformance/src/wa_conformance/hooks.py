"""What a target lets the suite do behind the engine's back: damage a record, silence a backend.

An engine's package offers them under the entry point group `wa.conformance`, named by its scheme;
a factory carries them as `factory.hooks`. All are optional, may be plain or async, and need no
import of this package. A claimed clause whose hook is missing is not run, and that fails: see
docs/write-your-own-engine.md.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection
from importlib.metadata import entry_points
from typing import cast

from wa_core.storage import Durability, Engine, MemoryEngine, MemoryStore

GROUP = "wa.conformance"
NAMES = ("damage", "stall", "resume", "residue", "pretend_newer", "weak_places", "forget")


class HookMissingError(Exception):
    """A check called a hook that the target does not offer."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"the target offers no hook {self.name!r}"


class Hooks:
    """The hooks of a target behind one face, whatever object or class brings them."""

    def __init__(
        self,
        source: object | None = None,
        *,
        only: Collection[str] = NAMES,
        behind: Callable[[Engine], Engine] | None = None,
    ) -> None:
        self._source = source() if isinstance(source, type) else source
        self._only = only
        self._behind = behind
        """From the engine of the target to the one that the hooks know."""
        self._listener: Callable[[str], None] | None = None

    def watched(self, listener: Callable[[str], None]) -> Hooks:
        """Return the same hooks; the listener hears the name of each that is called."""
        watched = Hooks(self._source, only=self._only, behind=self._behind)
        watched._listener = listener
        return watched

    def has(self, *names: str) -> bool:
        """Tell whether every one of the hooks is there."""
        return all(
            name in self._only and callable(getattr(self._source, name, None)) for name in names
        )

    async def damage(self, engine: Engine, key: str) -> None:
        """Make the stored record of `key` unreadable, as a bad disk would."""
        await self._call("damage", engine, key)

    async def stall(self, engine: Engine) -> None:
        """Let the backend answer nobody until `resume`."""
        await self._call("stall", engine)

    async def resume(self, engine: Engine) -> None:
        """Let the backend answer again."""
        await self._call("resume", engine)

    async def residue(self, engine: Engine) -> list[str]:
        """Name all that the backend keeps for the session, read without the engine."""
        return list(cast("list[str]", await self._call("residue", engine)))

    async def pretend_newer(self, engine: Engine) -> None:
        """Make the store look as if a newer contract had written it."""
        await self._call("pretend_newer", engine)

    async def weak_places(self) -> list[tuple[str, Durability]]:
        """Name places whose settings give less than `power`, and what they give."""
        found = cast("list[tuple[str, str]]", await self._call("weak_places"))
        return [(url, Durability(level)) for url, level in found]

    async def forget(self, url: str) -> None:
        """Remove what the backend keeps of a session that is empty and closed, if anything."""
        if self.has("forget"):
            await self._call("forget", url)

    async def _call(self, name: str, *arguments: object) -> object:
        if not self.has(name):
            raise HookMissingError(name)
        if self._listener is not None and name != "forget":
            self._listener(name)
        if self._behind is not None:
            arguments = tuple(self._reached(each, self._behind) for each in arguments)
        result = getattr(self._source, name)(*arguments)
        return await cast("Awaitable[object]", result) if inspect.isawaitable(result) else result

    def _reached(self, argument: object, behind: Callable[[Engine], Engine]) -> object:
        return behind(argument) if isinstance(argument, Engine) else argument


class MemoryHooks:
    """The hooks of `memory:`, and of any engine in front of a `MemoryEngine`."""

    def damage(self, engine: Engine, key: str) -> None:
        """Use the fault that the store offers."""
        self.store(engine).damage(key)

    def stall(self, engine: Engine) -> None:
        """Use the fault that the store offers."""
        self.store(engine).stall()

    def resume(self, engine: Engine) -> None:
        """Use the fault that the store offers."""
        self.store(engine).resume()

    def residue(self, engine: Engine) -> list[str]:
        """Name the values and the index rows."""
        store = self.store(engine)
        return [f"value {key}" for key in store.values] + [
            f"index {key}"
            for key in store.index.keys()  # noqa: SIM118 - not a mapping
        ]

    def pretend_newer(self, engine: Engine) -> None:
        """Raise the version that the store says it has."""
        self.store(engine).version += 1

    def store(self, engine: Engine) -> MemoryStore:
        """Find the store, through any number of wrappers."""
        inner: object = engine
        while not isinstance(inner, MemoryEngine):
            inner = getattr(inner, "inner", None)
            if inner is None:
                raise TypeError(f"{engine!r} stands in front of no MemoryEngine")
        return inner.store


def hooks_for_scheme(scheme: str, behind: Callable[[Engine], Engine] | None = None) -> Hooks:
    """Find the hooks that an installed package offers for a URL scheme."""
    for entry in entry_points(group=GROUP, name=scheme):
        return Hooks(entry.load(), behind=behind)
    return Hooks(MemoryHooks if scheme == "memory" else None, behind=behind)
