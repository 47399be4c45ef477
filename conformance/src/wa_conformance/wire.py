"""The stdio protocol as data: one JSON object a line, values in base64, errors by their code.

docs/stdio.md is the text of it. Both ends of this package speak through here, so that the adapter
and the reference program cannot drift apart.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from wa_core.errors import (
    CorruptRecordError,
    EngineBusyError,
    EngineClosedError,
    EngineConfigError,
    EngineUnavailableError,
    FencedError,
    InvalidKeyError,
    InvalidPageError,
    InvalidPositionError,
    LeaseHeldError,
    ReadOnlyError,
    StoreVersionError,
    UnsupportedError,
    UsageError,
    ValueTooLargeError,
    WaError,
)
from wa_core.storage import (
    CONTRACT_VERSION,
    CORE,
    FULL,
    MIN_MAX_VALUE,
    Capabilities,
    Durability,
)
from wa_core.storage.clauses import BY_ID

PROTOCOL = 1
"""The version of the protocol."""

Message = dict[str, Any]

FACTS = ("key", "holder", "expires_in", "size", "limit", "epoch", "found", "reason", "setting")
"""What an error may say besides its code and message."""


class WireError(Exception):
    """The program broke the protocol, or let an error out that is none of the contract's."""


def written(message: Message) -> bytes:
    """Write one line; escapes keep even a lone surrogate."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def read(line: bytes) -> Message:
    """Read one line, or raise `WireError`."""
    try:
        message = json.loads(line)
    except ValueError as exc:
        raise WireError(f"no JSON: {line[:80]!r}") from exc
    if not isinstance(message, dict):
        raise WireError(f"no JSON object: {line[:80]!r}")
    return message


def packed(value: bytes) -> str:
    """Write a value."""
    return b64encode(value).decode()


def unpacked(value: object) -> bytes:
    """Read a value, or raise `WireError`."""
    try:
        return b64decode(str(value), validate=True)
    except ValueError as exc:
        raise WireError(f"no base64: {str(value)[:80]!r}") from exc


def claims_of(names: object) -> frozenset[str]:
    """Read the clauses that a program claims: ids, `core` or `full`."""
    if not isinstance(names, list) or not names:
        raise WireError('hello must say what is claimed, as in "claims": ["core"]')
    levels = {"core": CORE, "full": FULL}
    claimed: set[str] = set()
    for name in names:
        if name not in levels and name not in BY_ID:
            raise WireError(f"the contract has no clause {name!r}")
        claimed |= levels.get(name, {name})
    return frozenset(claimed)


def capabilities_of(hello: Mapping[str, Any], *, read_only: bool) -> Capabilities:
    """Read what a program says of itself, or raise `WireError`."""
    try:
        return Capabilities(
            durability=Durability(hello["durability"]),
            shared=bool(hello["shared"]),
            max_value=int(hello.get("max_value", MIN_MAX_VALUE)),
            read_only=read_only,
            claims=claims_of(hello.get("claims")),
        )
    except (KeyError, ValueError) as exc:
        raise WireError(f"hello must say durability and shared: {exc!r}") from exc


def error_message(error: Exception) -> Message:
    """Write an error: its code, its sentence and its facts."""
    if not isinstance(error, WaError):
        return {"error": "internal", "message": f"{type(error).__name__}: {error}"}
    facts = {name: getattr(error, name) for name in FACTS if hasattr(error, name)}
    return {"error": error.code, "message": str(error), **facts}


def error_of(answer: Mapping[str, Any], asked: Mapping[str, Any]) -> Exception:
    """Read an error; a code that is none of the contract's becomes a `WireError`."""
    code, message = answer.get("error"), str(answer.get("message", ""))
    known: dict[str, WaError] = {
        error.code: error
        for error in (
            CorruptRecordError(str(answer.get("key", asked.get("key", ""))), message or "damaged"),
            EngineBusyError(str(answer.get("holder", ""))),
            EngineClosedError(),
            EngineConfigError(str(answer.get("setting", "setting")), message),
            EngineUnavailableError(message or "the program cannot reach its backend"),
            FencedError(int(answer.get("epoch", asked.get("fence") or asked.get("epoch") or 0))),
            InvalidKeyError(
                answer.get("key", asked.get("key", asked.get("prefix"))), message or "refused"
            ),
            InvalidPageError("offset or limit", message),
            InvalidPositionError(asked.get("at")),
            LeaseHeldError(str(answer.get("holder", "")), float(answer.get("expires_in", 0.0))),
            ReadOnlyError(),
            StoreVersionError(answer.get("found", "?"), CONTRACT_VERSION),
            UnsupportedError(str(asked.get("op", ""))),
            UsageError(message),
            ValueTooLargeError(int(answer.get("size", 0)), int(answer.get("limit", 0))),
        )
    }
    return known.get(str(code)) or WireError(f"{code}: {message}")
