"""Who imports the contract pays for the contract alone."""

from __future__ import annotations

import json
import subprocess
import sys

PROBE = """
import sys
before = set(sys.modules)
import asyncio, importlib.metadata, urllib.parse
borrowed = set(sys.modules)
import wa_core.storage
import json
print(json.dumps([sorted(set(sys.modules) - borrowed), len(borrowed - before)]))
"""
HEAVY = (
    "google.protobuf",
    "cryptography",
    "axolotl",
    "hypothesis",
    "pytest",
    "sqlite3",
    "logging.config",
    "multiprocessing",
    "http",
    "xml",
)
MAX_FOREIGN = 15
"""`dataclasses` and `json` with theirs, and the four of sortedcontainers."""


def imported(code: str) -> list[str]:
    """Run `code` in a new interpreter and read what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    return list(answer[0])


def foreign(modules: list[str]) -> list[str]:
    """Leave out what is ours."""
    return [name for name in modules if name.split(".")[0] != "wa_core"]


def test_importing_the_contract_loads_nothing_heavy() -> None:
    modules = imported(PROBE)

    ours = [name for name in modules if name.split(".")[0] == "wa_core"]
    heavy = [name for name in modules if name.startswith(HEAVY)]
    assert "wa_core.storage.engine" in ours
    assert heavy == []
    assert {name.split(".")[1] for name in ours if "." in name} == {"errors", "storage"}
    assert len(foreign(modules)) <= MAX_FOREIGN, modules


def test_opening_the_memory_engine_loads_nothing_heavy_either() -> None:
    opening = PROBE.replace(
        "import json\n",
        "asyncio.run(wa_core.storage.open_engine('memory:light'))\nimport json\n",
    )

    modules = imported(opening)

    assert [name for name in modules if name.startswith(HEAVY)] == []
    assert len(foreign(modules)) <= MAX_FOREIGN, modules
