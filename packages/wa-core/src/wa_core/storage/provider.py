"""What an engine package offers under the entry point group `wa.engines` [U1]."""

from __future__ import annotations

from abc import ABC, abstractmethod

from wa_core.storage.engine import Engine
from wa_core.storage.url import EngineUrl


class Provider(ABC):
    """Opens engines for the schemes that a package registers; made anew for each call."""

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
