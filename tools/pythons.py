"""The Python interpreters of this machine, found where people keep them.

A name on PATH proves nothing (a pyenv shim answers "command not found"), so each is asked.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

SUPPORTED = ("3.11", "3.12", "3.13")
REQUIRED = "3.11"

_QUESTION = (
    "import sys; print('%d.%d' % sys.version_info[:2], sys.implementation.name, sys.executable)"
)


@cache
def find_python(version: str) -> Path | None:
    """Find a CPython of this version, or nothing."""
    name = f"python{version}"
    folders = [Path(f) for f in os.environ.get("PATH", "").split(os.pathsep) if f]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders += sorted((pyenv / "versions").glob(f"{version}.*/bin"))
    candidates = (Path(sys.executable).resolve(), *(folder / name for folder in folders))
    answers = (_ask(path, version) for path in candidates)
    return next((path for path in answers if path), None)


def default_version() -> str:
    """Name the version for what runs once: 3.11, or on a machine without it, this one."""
    if find_python(REQUIRED):
        return REQUIRED
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _ask(path: Path, version: str) -> Path | None:
    """Return where the interpreter itself is, not the shim that led to it."""
    if not path.is_file():
        return None
    asked = subprocess.run([path, "-c", _QUESTION], capture_output=True, text=True, check=False)
    match asked.stdout.strip().split(maxsplit=2):
        case [found, "cpython", executable] if found == version:
            return Path(executable)
    return None
