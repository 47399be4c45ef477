"""`baileys:DIR`: the folder of `useMultiFileAuthState`, one file of BufferJSON for each record."""

from __future__ import annotations

from collections.abc import Iterable

from wa_core.storage.layouts import json_flaw, record_of

from wa_engine_file.layouts.filenames import MOVE, FileNames


class BaileysFolder:
    """The spelling of Baileys 6.7 and 7."""

    scheme = "baileys"

    def __init__(self, kinds: Iterable[str] = ()) -> None:
        self._names = FileNames(kinds)

    def path(self, key: str) -> str | None:
        """Return the file of a record."""
        return self._names.name(key)

    def key(self, path: str) -> str | None:
        """Return the record of a file; what lies deeper is none of Baileys' doing."""
        return None if "/" in path else self._names.key(path)

    def folder(self, key: str) -> str | None:
        """All files lie side by side, and nothing lies below a record."""
        return None if key == MOVE or record_of(key) else ""

    def nests(self, key: str) -> bool:
        """No record has others below it, so a folder in its place is none of Baileys' doing."""
        return False

    def flaw(self, key: str, value: bytes) -> str | None:
        """Every file is JSON; Baileys itself takes any other for absent."""
        return json_flaw(value)

    def stale(self, path: str) -> str | None:
        """Baileys derives nothing."""
        return None
