"""Where Baileys is installed: by npm, into a cache outside of the tree, when it is first needed."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from wa_conformance.absence import absent

PACKAGE = "@whiskeysockets/baileys"
VERSION = "7.0.0-rc14"
_OPTIONS = ("--ignore-scripts", "--omit=optional", "--omit=peer", "--no-audit", "--no-fund")
"""No script of a package is run."""


def home() -> Path:
    """Return the folder that the library is installed in."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "wa-bench" / f"baileys-{VERSION}"


def library() -> Path:
    """Return the file to import."""
    return home() / "node_modules" / PACKAGE / "lib" / "index.js"


def install() -> int:
    """Install the library with npm, once at a time, and return npm's exit code."""
    npm = shutil.which("npm")
    if npm is None:
        print("no npm on PATH: install Node 20 or later")
        return 1
    home().mkdir(parents=True, exist_ok=True)
    with (home() / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if library().exists():
            return 0
        (home() / "package.json").write_text('{"private": true}\n', encoding="utf-8")
        command = [npm, "install", *_OPTIONS, f"{PACKAGE}@{VERSION}"]
        return subprocess.run(command, cwd=home(), check=False).returncode


def needed_library() -> Path:
    """Return the file to import; where it cannot be had a test skips, and with CI=true it fails."""
    if shutil.which("node") is None:
        absent("no node on PATH: install Node 20 or later")
    if not library().exists() and install() != 0:
        absent(f"npm could not install {PACKAGE}")
    return library()
