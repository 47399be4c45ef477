"""Baileys' `useMultiFileAuthState` under Node: one JSON file per key, written without syncing.

The library is installed by `python -m benchmarks baileys`, into a cache outside of the tree, and
works in a process of its own that takes its own times; see baileys.mjs.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.subject import Pair

PACKAGE = "@whiskeysockets/baileys"
VERSION = "7.0.0-rc14"
SCRIPT = Path(__file__).with_name("baileys.mjs")
CREDENTIALS = "session/creds"
LINE_LIMIT = 2**24


def home() -> Path:
    """Return the folder that the library is installed in."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "wa-bench" / f"baileys-{VERSION}"


def library() -> Path:
    """Return the file to import."""
    return home() / "node_modules" / PACKAGE / "lib" / "index.js"


def reason_not_to_run() -> str | None:
    """Say why it cannot be measured here, if so."""
    if shutil.which("node") is None:
        return "no node on PATH"
    return None if library().exists() else "not installed: `./dev bench baileys` does"


def install() -> int:
    """Install the library with npm, without running any script of a package."""
    npm = shutil.which("npm")
    if npm is None:
        print("no npm on PATH: install Node 20 or later")
        return 1
    home().mkdir(parents=True, exist_ok=True)
    (home() / "package.json").write_text('{"private": true}\n', encoding="utf-8")
    options = ("--ignore-scripts", "--omit=optional", "--omit=peer", "--no-audit", "--no-fund")
    command = [npm, "install", *options, f"{PACKAGE}@{VERSION}"]
    return subprocess.run(command, cwd=home(), check=False).returncode


class BaileysPeer:
    """The library at work in its own process."""

    def __init__(self, process: Process, *, safe: bool = False) -> None:
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
        process = await asyncio.create_subprocess_exec(
            *("node", str(SCRIPT), str(library()), str(folder)),
            stdin=PIPE,
            stdout=PIPE,
            limit=LINE_LIMIT,
        )
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
        """End the process by closing its input."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()

    async def _call(self, call: str, **arguments: Any) -> float:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the process has no pipes")
        stdin.write(json.dumps({"call": call, **arguments}).encode() + b"\n")
        await stdin.drain()
        line = await stdout.readline()
        if not line:
            raise RuntimeError("Baileys' process ended: see its own message above")
        return float(json.loads(line)["seconds"])


def _spelled(key: str) -> str:
    """Spell `chat/X/message/ID/part` as `message/ID-part`, `session/pre-key/1` as `pre-key/1`."""
    segments = key.split("/")
    if segments[0] == "chat":
        return f"message/{'-'.join(segments[3:])}"
    return f"{segments[-2]}/{segments[-1]}"
