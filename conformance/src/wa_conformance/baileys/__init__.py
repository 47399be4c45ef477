"""The real Baileys under Node, for tests: what it writes, what it reads, and whether it can talk.

    async with needed_node() as node:
        await node.call("make", name="ann", folder=folder, pn="15550000001", lid="100000001")
        written = await node.call("written", name="ann")

`accounts.mjs` says which calls there are; any other script that takes the library's path as its
first argument and answers lines with lines runs as well.
"""

from __future__ import annotations

from wa_conformance.baileys.library import install, library, needed_library
from wa_conformance.baileys.process import NodeError, NodeProcess, needed_node

__all__ = ["NodeError", "NodeProcess", "install", "library", "needed_library", "needed_node"]
