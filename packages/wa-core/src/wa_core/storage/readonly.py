"""An engine that refuses every write."""

from __future__ import annotations

from dataclasses import replace

from wa_core.storage.engine import Engine
from wa_core.storage.wrapper import WrapperEngine


class ReadOnlyEngine(WrapperEngine):
    """Reads through; a write, a lease or a clear raises `ReadOnlyError`."""

    def __init__(self, inner: Engine) -> None:
        super().__init__(inner, capabilities=replace(inner.capabilities, read_only=True))
