"""Baileys' `useMultiFileAuthState` under Node: one JSON file per key, written without syncing.

The library is installed by `python -m benchmarks baileys`, into a cache outside of the tree, and
works in a process of its own that takes its own times; see baileys.mjs.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from wa_conformance.baileys import NodeProcess, library

from benchmarks.subject import Pair

SCRIPT = Path(__file__).with_name("baileys.mjs")
CREDENTIALS = "session/creds"


def reason_not_to_run() -> str | None:
    """Say why it cannot be measured here, if so."""
    if shutil.which("node") is None:
        return "no node on PATH"
    return None if library().exists() else "not installed: `./dev bench baileys` does"


class BaileysPeer:
    """The library at work in its own process."""

    def __init__(self, process: NodeProcess, *, safe: bool = False) -> None:
        self._process = process
        self._safe = safe

    @property
    def synced(self) -> BaileysPeer:
        """The same one, with its files and its folder synced after each write."""
        return BaileysPeer(self._process, safe=True)

    @classmethod
    async def start(cls, folder: Path, laid_down: Iterable[str] = ()) -> BaileysPeer:
        """Start on a folder that holds those keys already, as empty files: nothing reads them."""
        folder.mkdir()
        for key in laid_down:
            kind, _, name = _spelled(key).partition("/")
            os.close(os.open(f"{folder}/{kind}-{name}.json", os.O_WRONLY | os.O_CREAT, 0o600))
        process = await NodeProcess.start(SCRIPT, str(folder))
        return cls(process)

    async def put_all(self, batches: Sequence[Sequence[Pair]]) -> float:
        """Save the credentials again and again, or set keys batch by batch."""
        first, value = batches[0][0]
        if first == CREDENTIALS:
            size, times = len(value), len(batches)
            return await self._call("credentials", times=times, size=size, safe=self._safe)
        sizes = [[(_spelled(key), len(value)) for key, value in batch] for batch in batches]
        return await self._call("put", batches=sizes, safe=self._safe)

    async def get_all(self, batches: Sequence[Sequence[str]]) -> float:
        """Get keys of one type batch by batch."""
        names = [[_spelled(key).partition("/")[2] for key in batch] for batch in batches]
        return await self._call(
            "get", type=_spelled(batches[0][0]).partition("/")[0], batches=names
        )

    async def delete_all(self, keys: Sequence[str]) -> float:
        """Set keys to null, one by one."""
        return await self._call("put", batches=[[(_spelled(key), None)] for key in keys])

    async def close(self) -> None:
        """End the process."""
        await self._process.close()

    async def _call(self, call: str, **arguments: Any) -> float:
        answer = await self._process.call(call, **arguments)
        return float(answer["seconds"])


def _spelled(key: str) -> str:
    """Spell `chat/X/message/ID/part` as `message/ID-part`, `session/pre-key/1` as `pre-key/1`."""
    segments = key.split("/")
    if segments[0] == "chat":
        return f"message/{'-'.join(segments[3:])}"
    return f"{segments[-2]}/{segments[-1]}"
