"""What a package offers: engines under the entry point group `wa.engines` [U1].

And under `wa.wrappers` what can stand in front of any engine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from wa_core.storage.capabilities import Capabilities
from wa_core.storage.engine import Engine
from wa_core.storage.url import EngineUrl

SCRATCH = "wa-doctor"
"""The session that things are tried out in. One name for all, so that what a killed run left behind
is found by the next one."""


class Provider(ABC):
    """Opens engines for the schemes that a package registers; made anew for each call."""

    best: ClassVar[Capabilities | None] = None
    """What its engines promise where the backend is set up for the most; None: open one to know."""

    thrifty: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Parameters with which an engine takes the same memory for a session of any size: for programs
    that go through all of it once, where a URL does not say otherwise."""

    @abstractmethod
    async def open(self, url: EngineUrl, *, read_only: bool = False) -> Engine:
        """Open the session that `url` names, or raise one of `wa_core.errors`."""

    @abstractmethod
    async def list_sessions(self, url: EngineUrl) -> list[str]:
        """Name the sessions in the place of `url` that hold anything, in any order [N2]."""

    def absolute(self, url: EngineUrl) -> EngineUrl:
        """Spell a URL so that it means the same in another working directory.

        Only a place that is a path has to do something about it.
        """
        return url

    def scratch(self, url: EngineUrl) -> EngineUrl:
        """Name a session in the same place that is nobody's, to try things out in."""
        return url.with_session(SCRATCH)

    async def discard(self, url: EngineUrl) -> None:
        """Remove a scratch session, and what an empty one would leave for people to see."""
        async with await self.open(url) as engine:
            await engine.clear()


class Wrapper(ABC):
    """Stands in front of the engine of any URL that has the parameter it is registered for."""

    @abstractmethod
    async def wrap(self, engine: Engine, value: str) -> Engine:
        """Put an engine in front of an open one, or raise; `value` is the parameter's.

        Closing the outer engine closes the inner one. The inner one is closed by the caller when
        this raises.
        """
