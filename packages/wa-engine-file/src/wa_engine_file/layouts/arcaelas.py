"""`arcaelas-file:DIR`: the folder of `@arcaelas/whatsapp`, in the two shapes that it has had.

Version 2, the library of three methods, writes a key as a path and `@` as `_at_`. Version 8 makes
a folder of each key, with the value in `index.json`, a picture or sound beside it in `content.bin`,
and an index `.order` that it makes anew when it is missing. Both name a record by its bare id, so
that base64 lies in folders; slashes side by side become one, and an id is only read back where it
is certain which.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod

from wa_core.errors import EngineConfigError, InvalidKeyError, masked
from wa_core.storage import is_key
from wa_core.storage.layouts import CREDS, json_flaw, key_of, record_of

from wa_engine_file.layouts.layout import is_record

VALUE = "index.json"
BINARY = "content.bin"
_AT, _AT_SIGN = "_at_", "@"
_SLASHES = re.compile("/{2,}")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


class ArcaelasFolder(ABC):
    """What both shapes share: keys as paths of bare ids."""

    scheme = "arcaelas-file"

    def path(self, key: str) -> str | None:
        """Return the file of a key, if that file is read back as this key."""
        path = self._spelt(bare(key))
        try:
            fits = all(0 < len(part.encode()) <= 255 for part in path.split("/"))
            return path if fits and "\0" not in path and self.key(path) == key else None
        except (UnicodeEncodeError, EngineConfigError):
            return None

    def key(self, path: str) -> str | None:
        """Return the key of a file; what begins with a dot is not the library's."""
        if path.startswith(".") or "/." in path:
            return None
        found = self._read(path)
        return None if found is None else self._keyed(found)

    def folder(self, key: str) -> str | None:
        """Keys below a key lie below its folder; below an id that holds slashes, so may others."""
        return bare(key).replace(_AT_SIGN, self._at)

    def nests(self, key: str) -> bool:
        """Any key may have others below it, but for the credentials."""
        return key != CREDS

    def flaw(self, key: str, value: bytes) -> str | None:
        """Records are JSON; an empty file is a write that was torn, for none writes one."""
        if not value:
            return "it is empty"
        return json_flaw(value) if is_record(key) and not key.endswith(f"/{BINARY}") else None

    _at: str

    def _keyed(self, raw: str) -> str:
        """Read a key as the library writes it, or raise where it can be more than one."""
        top, _, rest = raw.partition("/")
        kind, slash, ident = rest.partition("/")
        try:
            if top == "session" and slash and not ident.endswith(f"/{BINARY}"):
                whole = kind != "app-state-sync-key" or _BASE64.fullmatch(ident)
                return key_of(kind, ident if whole else self._restored(ident, raw))
        except InvalidKeyError:
            raise _in_doubt(raw) from None
        if not is_key(raw):
            raise _in_doubt(raw)
        return raw

    def _restored(self, ident: str, raw: str) -> str:
        """Give base64 the slash back that it has lost, where only one place can have had it."""
        raise _in_doubt(raw)

    @abstractmethod
    def stale(self, path: str) -> str | None:
        """Return the index that does not know what is written."""

    @abstractmethod
    def _spelt(self, raw: str) -> str: ...

    @abstractmethod
    def _read(self, path: str) -> str | None: ...


class ThreeMethodFolder(ArcaelasFolder):
    """Version 2: `contact/5491_at_s.whatsapp.net/index`."""

    _at = _AT

    def stale(self, path: str) -> str | None:
        """Version 2 keeps no index."""
        return None

    def _restored(self, ident: str, raw: str) -> str:
        # One at the end would have made it the name of a folder, which was never written.
        if "/" not in ident and _BASE64.fullmatch("/" + ident):
            return "/" + ident
        return super()._restored(ident, raw)

    def _spelt(self, raw: str) -> str:
        return raw.replace(_AT_SIGN, _AT)

    def _read(self, path: str) -> str | None:
        if _AT_SIGN in path:
            raise _in_doubt(path)
        return path.replace(_AT, _AT_SIGN)


class NestedFolder(ArcaelasFolder):
    """Version 8: `contact/5491@s.whatsapp.net/index.json`."""

    _at = _AT_SIGN

    def stale(self, path: str) -> str | None:
        """Each folder has the order of its children, made anew when the file is gone."""
        folder = path.rpartition("/")[0]
        above = folder.rpartition("/")[0]
        return f"{above}/.order" if above else ".order"

    def _spelt(self, raw: str) -> str:
        return raw if raw.endswith(f"/{BINARY}") else f"{raw}/{VALUE}"

    def _read(self, path: str) -> str | None:
        if path.endswith(f"/{VALUE}"):
            return path.removesuffix(f"/{VALUE}")
        return path if path.endswith(f"/{BINARY}") else None


def bare(key: str) -> str:
    """Write a key as the library does: a record by its bare id, slashes side by side as one."""
    record = record_of(key)
    raw = key if record is None else f"session/{record[0]}/{record[1]}"
    return _SLASHES.sub("/", raw)


def _in_doubt(raw: str) -> EngineConfigError:
    return EngineConfigError(
        f"file {masked(ascii(raw))}",
        "it can mean more than one key, or none: take it away or rename it",
    )
