"""The names of the files in a folder of Baileys, and the records that they mean.

`useMultiFileAuthState` writes a record to `{kind}-{id}.json`, having put `__` for each `/` and `-`
for each `:`. That loses something; what an id of that kind looks like brings it back: base64 has
no `_` and no `-`, a group's number has no `:`. A name that could still be two records is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from wa_core.errors import EngineConfigError, InvalidKeyError, masked
from wa_core.storage.layouts import CREDS, KINDS, key_of, record_of

MOVE = "wa/move"
_WHOLE = {CREDS: "creds.json", MOVE: "wa-move.json"}
"""The keys that are no records of a kind; Baileys reads the first, and never the second."""
_KEYS = {name: key for key, name in _WHOLE.items()}
_SUFFIX = ".json"
_DOUBTFUL = re.compile("-|__")

_USER_JID = re.compile(r"\d+-\d+@(?:lid|s\.whatsapp\.net|c\.us|hosted|hosted\.lid)")
_GROUP_JID = re.compile(r"\d+-\d+@g\.us")
_PLAIN_JID = re.compile(r"[^-:/@]+@[a-z.]+")
_SENDER_KEY = re.compile(r"(?P<group>.+)--(?P<user>[^-/:]+)--(?P<device>\d+)")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


class FileNames:
    """Names for keys and back; `extra` are kinds that Baileys 7.0.0-rc14 does not have."""

    def __init__(self, extra: Iterable[str] = ()) -> None:
        # The longest first: `sender-key-memory-X` is no `sender-key` with the id `memory-X`.
        self._kinds = sorted({*KINDS, *extra}, key=len, reverse=True)

    def name(self, key: str) -> str | None:
        """Return the file of a key; None where no file's name would be read back as that key."""
        if key in _WHOLE:
            return _WHOLE[key]
        record = record_of(key)
        if record is None:
            return None
        name = f"{_flattened(f'{record[0]}-{record[1]}')}{_SUFFIX}"
        try:
            fits = name not in _KEYS and "\0" not in name and len(name.encode()) <= 255
        except UnicodeEncodeError:
            return None
        return name if fits and self._meanings(name) == {record} else None

    def key(self, name: str) -> str | None:
        """Return the key of a file, None for one that is no record, or raise for one in doubt."""
        if name in _KEYS:
            return _KEYS[name]
        if not name.endswith(_SUFFIX) or "-" not in name:
            return None
        meanings = self._meanings(name)
        if len(meanings) != 1:
            raise _in_doubt(name)
        try:
            return key_of(*meanings.pop())
        except InvalidKeyError:
            raise _in_doubt(name) from None

    def _meanings(self, name: str) -> set[tuple[str, str]]:
        """Tell what records a name can mean; none where no id of a known kind looks like it."""
        text = name.removesuffix(_SUFFIX)
        for kind in self._kinds:
            start = _flattened(kind) + "-"
            if text.startswith(start):
                ident = _ident(kind, text[len(start) :])
                if ident is not None:
                    return {(kind, ident)}
        if any(text.startswith(_flattened(kind) + "-") for kind in self._kinds):
            return set()
        kind, _, ident = text.partition("-")
        doubtful = not kind or "__" in kind or _DOUBTFUL.search(ident)
        return set() if doubtful else {(kind, ident)}


def _flattened(text: str) -> str:
    return text.replace("/", "__").replace(":", "-")


def _ident(kind: str, text: str) -> str | None:
    """Bring an id back from a name; None where it cannot be one of this kind."""
    return _INVERSES.get(kind, _undoubted)(text)


def _undoubted(text: str) -> str | None:
    return None if _DOUBTFUL.search(text) else text


def _jid(text: str) -> str | None:
    """A user's `-` was the `:` before a device; a group's was always there."""
    user = _USER_JID.fullmatch(text)
    if user is not None:
        return text.replace("-", ":")
    if _GROUP_JID.fullmatch(text) or (_PLAIN_JID.fullmatch(text) and "__" not in text):
        return text
    return _undoubted(text)


def _token(text: str) -> str | None:
    return text if text == "__index" else _jid(text)


def _sender_key(text: str) -> str | None:
    found = _SENDER_KEY.fullmatch(text)
    if found is None or "__" in found["user"]:
        return _undoubted(text)
    group = _jid(found["group"])
    return None if group is None else f"{group}::{found['user']}::{found['device']}"


def _base64(text: str) -> str | None:
    ident = text.replace("__", "/")
    return ident if _BASE64.fullmatch(ident) else _undoubted(text)


_INVERSES: dict[str, Callable[[str], str | None]] = {
    "sender-key": _sender_key,
    "sender-key-memory": _jid,
    "app-state-sync-key": _base64,
    "tctoken": _token,
}
"""The kinds whose ids hold what a name loses; of the others, only what loses nothing is read."""


def _in_doubt(name: str) -> EngineConfigError:
    return EngineConfigError(
        f"file {masked(ascii(name))}",
        "its name can mean more than one record: name its kind with ?kinds=..., or take it away",
    )
