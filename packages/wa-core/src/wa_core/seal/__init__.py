"""Sealed stores: an engine in front of any engine, which writes nothing that a thief could read.

A key-encryption key, which the operator keeps, locks the data keys of a session; those seal its
records. See docs/sealing.md.
"""

from __future__ import annotations

from wa_core.crypto.keysource import KeySource, new_key
from wa_core.seal.description import Description, describe
from wa_core.seal.engine import SealedEngine, sealed_in
from wa_core.seal.head import HEAD_KEY
from wa_core.seal.rotation import Progress, rotate_data_key, rotate_key

__all__ = [
    "HEAD_KEY",
    "Description",
    "KeySource",
    "Progress",
    "SealedEngine",
    "describe",
    "new_key",
    "rotate_data_key",
    "rotate_key",
    "sealed_in",
]
