"""What a folder of another library is to the engine: a spelling of keys as paths, both ways.

Whether a layout holds a key is no list of rules but one question: is the path that the key gets
read back as that key? So nothing is written that a later run would take for something else.
"""

from __future__ import annotations

from typing import Protocol

from wa_core.storage.layouts import SESSION


class Layout(Protocol):
    """Where keys lie; paths are relative to the folder of the session, with `/`."""

    @property
    def scheme(self) -> str:
        """The URL scheme, for messages."""

    def path(self, key: str) -> str | None:
        """Return the file of a key, or None where the layout has no place for it."""

    def key(self, path: str) -> str | None:
        """Return the key of a file, None for a file that is none of the layout's, or raise."""

    def folder(self, key: str) -> str | None:
        """Return the folder that holds all keys below `key`, '' for any; None when none can be."""

    def nests(self, key: str) -> bool:
        """Tell whether a folder in the place of a key's file means that there is no such key."""

    def flaw(self, key: str, value: bytes) -> str | None:
        """Say why no file of the layout holds this value under this key; None when it may."""

    def stale(self, path: str) -> str | None:
        """Return a file that the library derives from what is at `path`, and must make anew."""


def is_record(key: str) -> bool:
    """Tell whether what lies under `key` is JSON, whoever wrote it."""
    return key.startswith(SESSION)
