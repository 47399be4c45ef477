"""`?seal=` in an engine URL: what wa-core offers under the entry point group `wa.wrappers`."""

from __future__ import annotations

from wa_core.crypto.keysource import KeySource
from wa_core.seal.engine import SealedEngine
from wa_core.storage import Engine, Wrapper


class SealWrapper(Wrapper):
    """Seals whatever engine the rest of the URL opens."""

    async def wrap(self, engine: Engine, value: str) -> Engine:
        """Open the store with the key that `value` names."""
        return await SealedEngine.open(engine, KeySource.parse(value))
