"""A watch over everything that an identity could be made with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from wa_core.signal import curve
from wa_core.state import identity


class IdentityMadeError(Exception):
    """Somebody began to make an identity."""


@contextmanager
def watched() -> Iterator[list[str]]:
    """Note whoever asks for a new key, and give none; yields the notes."""
    notes: list[str] = []

    def recorder(name: str) -> object:
        def refuse(*_: object, **__: object) -> NoReturn:
            notes.append(name)
            raise IdentityMadeError(name)

        return refuse

    with (
        patch.object(identity, "_axolotl", recorder("the curve of an identity")),
        patch.object(curve, "generate_key_pair", recorder("a key pair of the extra")),
        patch.object(X25519PrivateKey, "generate", recorder("a key pair of cryptography")),
    ):
        yield notes
