"""Records of an auth state as keys: `session/creds`, and `session/{kind}/{id}` [Y3].

Ids hold what a segment of a key cannot: base64 has `/`, and nothing keeps an id from being empty.
Such characters are written as `%2F`, a `%` as `%25`; everything else means itself. Only that one
spelling is read back, so that a key is a record or is none, and no two keys are the same record.
"""

from __future__ import annotations

import re

from wa_core.storage.keys import check_key

SESSION = "session/"
CREDS = "session/creds"
KINDS = (
    "pre-key",
    "session",
    "sender-key",
    "sender-key-memory",
    "app-state-sync-key",
    "app-state-sync-version",
    "lid-mapping",
    "device-list",
    "tctoken",
    "identity-key",
)
"""The kinds that Baileys 7.0.0-rc14 has; others pass through as they are."""

_EMPTY = "%"
_DOTS = {".": "%2E", "..": "%2E%2E"}
_FORBIDDEN = re.compile("[\x00-\x1f\x7f%/\ud800-\udfff]")
_ESCAPED = re.compile("%([0-9A-F]{2}|u[0-9A-F]{4})")


def key_of(kind: str, ident: str) -> str:
    """Return the key of a record; one that would be too long is an `InvalidKeyError`."""
    return check_key(f"{SESSION}{_spelt(kind)}/{_spelt(ident)}")


def record_of(key: str) -> tuple[str, str] | None:
    """Return kind and id of the record that lies under `key`; None for what is no record."""
    parts = key.split("/")
    if len(parts) != 3 or f"{parts[0]}/" != SESSION:
        return None
    kind, ident = _read(parts[1]), _read(parts[2])
    return None if kind is None or ident is None else (kind, ident)


def _spelt(text: str) -> str:
    if not text:
        return _EMPTY
    return _DOTS.get(text) or _FORBIDDEN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"%{number:02X}" if number < 256 else f"%u{number:04X}"


def _read(segment: str) -> str | None:
    text = "" if segment == _EMPTY else _ESCAPED.sub(_unescape, segment)
    return text if _spelt(text) == segment else None


def _unescape(found: re.Match[str]) -> str:
    return chr(int(found[1].removeprefix("u"), 16))
