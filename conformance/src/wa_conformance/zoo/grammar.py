"""Specimens of chapter K that draw the line between key and no key elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import ClassVar

from wa_core.errors import InvalidKeyError
from wa_core.storage import Lease, Operation, Put, check_key, check_prefix

from wa_conformance.zoo.base import Specimen, unchecked


class DotDotEscapes(Specimen):
    """Joins keys to a path unchecked, `..` included: FileEngine and FileSystemEngine."""

    breaks = "K4"

    async def get(self, key: str) -> bytes | None:
        """Read whatever the path leads to."""
        return await super().get(_resolved(key))

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Write wherever the path leads."""
        await super().set(_resolved(key), value, at=at)


def _resolved(key: str) -> str:
    if not isinstance(key, str) or ".." not in key.split("/"):
        return key
    parts: list[str] = []
    for part in key.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts) or "root"


class _Refusing(Specimen):
    """Refuses keys that the grammar allows."""

    refused: ClassVar[re.Pattern[str]]

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        for operation in operations:
            if isinstance(operation, Put) and self.refused.search(operation.key):
                raise InvalidKeyError(operation.key, "this backend does not take it")
        await super()._apply(operations, fence)


class RefusesLongSegments(_Refusing):
    """Lets ENAMETOOLONG through for a segment over 255 bytes."""

    breaks = "K1"
    refused = re.compile(r"[^/]{256}")


class RefusesFullLength(_Refusing):
    """Refuses the longest key: off by one at 512 bytes."""

    breaks = "K1"
    refused = re.compile(r"\A.{512}\Z", re.DOTALL)


class RefusesDeepKeys(_Refusing):
    """Refuses more than 100 segments: a recursive folder walk, or PATH_MAX."""

    breaks = "K1"
    refused = re.compile(r"(?:[^/]+/){100}")


class RefusesReservedNames(_Refusing):
    """Refuses `CON`, `NUL` and their kin: names that Windows keeps for devices."""

    breaks = "K1"
    refused = re.compile(r"(?:\A|/)(?:con|nul|aux|prn|com1|lpt1)(?:\.[^/]*)?(?:/|\Z)", re.I)


class RefusesDollar(_Refusing):
    """Refuses a segment that begins with `$`, as MongoDB's field names do."""

    breaks = "K1"
    refused = re.compile(r"(?:\A|/)\$")


class RefusesAngleBrackets(_Refusing):
    """Refuses `< > | " ?`: what a Windows file name cannot hold."""

    breaks = "K1"
    refused = re.compile(r'[<>|"?]')


class CountsCharacters(Specimen):
    """Measures 512 characters instead of 512 bytes."""

    breaks = "K4"

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Write under a key that may be too long."""
        if isinstance(key, str) and isinstance(value, bytes) and _too_long_in_bytes_only(key):
            await self.apply(unchecked(Put(key, value, at)))
        else:
            await super().set(key, value, at=at)


def _too_long_in_bytes_only(key: str) -> bool:
    parts = key.split("/")
    sound = all(part not in ("", ".", "..") for part in parts) and key.isprintable()
    return sound and len(key) <= 512 < len(key.encode(errors="replace"))


class AcceptsControlCharacters(Specimen):
    """Takes a newline for an ordinary character of a key."""

    breaks = "K4"

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Write, whatever line breaks the key holds."""
        if isinstance(key, str) and isinstance(value, bytes) and "\n" in key:
            await self.apply(unchecked(Put(key, value, at)))
        else:
            await super().set(key, value, at=at)


class AcceptsLoneSurrogates(Specimen):
    """Writes half a surrogate pair as `?`, which is another key."""

    breaks = "K4"

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Write under what is left of the key."""
        if isinstance(key, str):
            key = key.encode(errors="replace").decode()
        await super().set(key, value, at=at)


class ReadsBadKeysAsAbsent(Specimen):
    """Answers None for a key that cannot exist, as a plain dictionary would."""

    breaks = "K4"

    async def get(self, key: str) -> bytes | None:
        """Look it up without a look at it."""
        return await self._in_time(self._read(key))

    async def _read(self, key: str) -> bytes | None:
        return (await self._get_many((key,))).get(key)


class ChecksOnlyFirstKey(Specimen):
    """Checks the first key of a `get_many` and trusts the others."""

    breaks = "K4"

    async def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Read the rest unchecked."""
        wanted = list(keys)
        for key in wanted[:1]:
            check_key(key)
        wanted = [key for key in wanted if isinstance(key, str)]
        return await self._in_time(self._get_many(wanted))


class ChecksKeysTooLate(Specimen):
    """Writes first and checks the key afterwards, when something has happened already."""

    breaks = "K4"

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Write below a spoiled name, then complain."""
        try:
            check_key(key)
        except InvalidKeyError:
            self.store.put("unchecked", b"", at)
            raise
        await super().set(key, value, at=at)


class BadDeleteWipesAll(Specimen):
    """Takes the deletion of an empty key for the deletion of everything: `set('', null)`."""

    breaks = "K4"

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Delete the root when the key names it."""
        if value is None and key == "":
            await self.clear()
        await super().set(key, value, at=at)


class TakesAnyPrefix(Specimen):
    """Lists under a prefix that no key can begin with, instead of refusing it."""

    breaks = "K4"

    async def list(self, prefix: str = "", offset: int = 0, limit: int | None = 50) -> list[str]:
        """List, whatever the prefix."""
        try:
            check_prefix(prefix)
        except InvalidKeyError:
            return []
        return await super().list(prefix, offset, limit)


class CountsAnyPrefix(Specimen):
    """Counts zero for a prefix that no key can begin with, instead of refusing it."""

    breaks = "K4"

    async def count(self, prefix: str = "") -> int:
        """Count, whatever the prefix."""
        try:
            check_prefix(prefix)
        except InvalidKeyError:
            return 0
        return await super().count(prefix)


class PrefixMustBeFolder(Specimen):
    """Refuses a prefix that stops inside a segment: a file tree knows folders only."""

    breaks = "K4"

    async def list(self, prefix: str = "", offset: int = 0, limit: int | None = 50) -> list[str]:
        """List a folder, or nothing."""
        if prefix and not prefix.endswith("/"):
            raise InvalidKeyError(prefix, "a prefix ends in '/'")
        return await super().list(prefix, offset, limit)


class PrefixMustBeKey(Specimen):
    """Refuses a prefix that is no whole key itself, such as `chat/` or `chat/.`."""

    breaks = "K4"

    async def count(self, prefix: str = "") -> int:
        """Count below a key only."""
        if prefix and not prefix.endswith("/"):
            check_key(prefix)
        return await super().count(prefix)


SPECIMENS = (
    DotDotEscapes,
    RefusesLongSegments,
    RefusesFullLength,
    RefusesDeepKeys,
    RefusesReservedNames,
    RefusesDollar,
    RefusesAngleBrackets,
    CountsCharacters,
    AcceptsControlCharacters,
    AcceptsLoneSurrogates,
    ReadsBadKeysAsAbsent,
    ChecksOnlyFirstKey,
    ChecksKeysTooLate,
    BadDeleteWipesAll,
    TakesAnyPrefix,
    CountsAnyPrefix,
    PrefixMustBeFolder,
    PrefixMustBeKey,
)
