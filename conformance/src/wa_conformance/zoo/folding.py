"""Specimens of chapter K that keep a key under another name, and so confuse two keys."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import unquote

from wa_conformance.zoo.base import Folding, Specimen


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")


class LowercasesKeys(Folding):
    """Folds case, as a file system of macOS or Windows and most SQL collations do."""

    breaks = "K2"

    def _folded(self, key: str) -> str:
        return key.lower()


class MatchesCaseInReads(Specimen):
    """Finds `Chat` when `chat` was written: lookups go through a collation that ignores case."""

    breaks = "K2"

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found = await super()._get_many(keys)
        by_fold = {key.casefold(): key for key in self.store.values}
        for key in keys:
            twin = by_fold.get(key.casefold())
            if key not in found and twin is not None:
                found[key] = self.store.read(twin)
        return found


class NormalisesUnicode(Folding):
    """Composes characters (NFC), as HFS+ and some drivers do."""

    breaks = "K2"

    def _folded(self, key: str) -> str:
        return unicodedata.normalize("NFC", key)


class FoldsCompatibility(Folding):
    """Folds look-alikes (NFKC): the ligature and the two letters are one key."""

    breaks = "K2"

    def _folded(self, key: str) -> str:
        parts = [unicodedata.normalize("NFKC", part) for part in key.split("/")]
        return "/".join(part.replace("/", "\u2044") for part in parts)


class IgnoresAccents(Folding):
    """Takes `e` and `é` for one letter: MySQL's general collations."""

    breaks = "K2"

    def _folded(self, key: str) -> str:
        letters = unicodedata.normalize("NFD", key)
        return "".join(letter for letter in letters if not unicodedata.combining(letter))


class TrimsSpaces(Folding):
    """Drops trailing spaces: PAD SPACE collations and Windows."""

    breaks = "K2"
    folds_prefixes = False

    def _folded(self, key: str) -> str:
        return re.sub(r" +(?=/|\Z)", "", key) or "_"


class DropsTrailingDots(Folding):
    """Drops the dots at the end of a name, as Windows does."""

    breaks = "K2"
    folds_prefixes = False

    def _folded(self, key: str) -> str:
        return re.sub(r"(?<=[^./])\.+(?=/|\Z)", "", key)


class AtSignAliases(Folding):
    """Writes `@` as `_at_` and reads every `_at_` back as `@`: arcaelas FileEngine and S3."""

    breaks = "K2"
    folds_prefixes = False

    def _folded(self, key: str) -> str:
        return key.replace("_at_", "@")


class ColonDashAlias(Folding):
    """Writes `:` as `-`: Baileys' `fixFileName`."""

    breaks = "K2"

    def _folded(self, key: str) -> str:
        return key.replace(":", "-")


class SlashBecomesUnderscores(Folding):
    """Cannot tell `a__b` from `a/b`: the other half of Baileys' `fixFileName`."""

    breaks = "K2"
    folds_prefixes = False

    def _folded(self, key: str) -> str:
        return re.sub(r"(?<=[^/])__(?=[^/])", "/", key)


class BackslashIsSlash(Folding):
    """Takes a backslash for a separator, as path libraries of Windows do."""

    breaks = "K2"

    def _folded(self, key: str) -> str:
        return re.sub(r"(?<=[^/\\])\\(?=[^/\\.])", "/", key)


class UnquotesKeys(Folding):
    """Percent-decodes keys: a client that puts them into an HTTP path."""

    breaks = "K2"
    folds_prefixes = False

    def _folded(self, key: str) -> str:
        return unquote(key) or key


class ReplacesEmoji(Folding):
    """Keeps three bytes a character, the rest becomes `?`: MySQL's `utf8`."""

    breaks = "K2"

    def _folded(self, key: str) -> str:
        return re.sub(r"[\U00010000-\U0010ffff]", "?", key)


class CutsLongKeys(Folding):
    """Keeps the first 255 bytes of a key: VARCHAR(255) outside strict mode."""

    breaks = "K1"

    def _folded(self, key: str) -> str:
        return _cut(key, 255)


class CutsLongSegments(Folding):
    """Keeps the first 255 bytes of a segment: the name limit of most file systems."""

    breaks = "K1"

    def _folded(self, key: str) -> str:
        return "/".join(_cut(part, 255) for part in key.split("/"))


class MangleQuotes(Folding):
    """Doubles single quotes, as hand-made SQL escaping does, and never undoes it."""

    breaks = "K1"
    folds_prefixes = False

    def _folded(self, key: str) -> str:
        return key.replace("'", "''")

    async def _list(self, prefix: str, offset: int, limit: int | None) -> list[str]:
        return [_cut(key, 512) for key in await super()._list(prefix, offset, limit)]


SPECIMENS = (
    LowercasesKeys,
    MatchesCaseInReads,
    NormalisesUnicode,
    FoldsCompatibility,
    IgnoresAccents,
    TrimsSpaces,
    DropsTrailingDots,
    AtSignAliases,
    ColonDashAlias,
    SlashBecomesUnderscores,
    BackslashIsSlash,
    UnquotesKeys,
    ReplacesEmoji,
    CutsLongKeys,
    CutsLongSegments,
    MangleQuotes,
)
