"""The root of the tree, its branches, and how a fact is spelt so that it tells no secret."""

from __future__ import annotations

import re
from typing import ClassVar

_LONG_NUMBER = re.compile(r"\d{6,}")


def masked(text: str) -> str:
    """Shorten every number that could be a phone number, for messages and logs."""
    return _LONG_NUMBER.sub(lambda found: f"{found[0][:2]}…{found[0][-2:]}", text)


def shown(argument: object) -> str:
    """Spell a wrong argument for a message: a number masked, of anything else the type alone.

    Arguments get swapped; what came in the place of a number may be a value.
    """
    if isinstance(argument, int | float):
        return masked(repr(argument))
    return type(argument).__name__


class WaError(Exception):
    """The root of the tree."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __str__(self) -> str:
        return masked(super().__str__())

    def __repr__(self) -> str:
        """Show the sentence, never the raw facts: they may hold a phone number."""
        return f"{type(self).__name__}({str(self)!r})"


class UsageError(WaError):
    """The call was wrong; the same call will be wrong again."""

    code = "usage"


class ProtocolError(WaError):
    """The peer sent something the protocol does not allow."""

    code = "protocol"


class ServerError(WaError):
    """The server understood and refused."""

    code = "server"


class TransportError(WaError):
    """The line to the server failed."""

    code = "transport"
    retryable = True


class StorageError(WaError):
    """The store could not do what its contract promises."""

    code = "storage"
