"""Somebody who types."""

from __future__ import annotations

import io


class Keyboard(io.StringIO):
    """A terminal to read from."""

    def isatty(self) -> bool:
        return True
