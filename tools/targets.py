"""What an engine is judged on: URLs with blanks for a folder and for servers to be started.

`[tool.wa] conformance = ["file:{tmp}", "{redis-7}?timeout=5"]` in a member's pyproject.toml: {tmp}
is an empty folder, any other name in braces a kind of `python -m wa_conformance.servers`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLANK = re.compile(r"\{([\w.-]+)\}")
_FOLDER = "tmp"


@dataclass(frozen=True, slots=True)
class Target:
    """A URL with blanks."""

    text: str

    @property
    def label(self) -> str:
        """A name for a session and a file: `redis-7-timeout-5`."""
        return "-".join(re.findall(r"[\w.]+", self.text.replace(f"{{{_FOLDER}}}", "")))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The servers that it needs."""
        return tuple(kind for kind in _BLANK.findall(self.text) if kind != _FOLDER)

    def url(self, folder: Path) -> str:
        """Fill an empty folder in; a server's URL is filled in by what starts the server."""
        own = folder / self.label
        own.mkdir(mode=0o700, exist_ok=True)
        return self.text.replace(f"{{{_FOLDER}}}", str(own))

    def command(self, *words: str) -> tuple[str, ...]:
        """Put the start of its servers before a command."""
        if not self.kinds:
            return words
        return ("python", "-m", "wa_conformance.servers", *self.kinds, "--", *words)
