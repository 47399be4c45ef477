"""Specimens of chapter V: bytes that come back as other bytes."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from wa_core.errors import StorageError, ValueTooLargeError
from wa_core.storage import Batch, Lease, Operation, Put

from wa_conformance.zoo.base import CAPABILITIES, Specimen, unchecked


class Changing(Specimen):
    """Changes each value on its way in."""

    def _kept(self, value: bytes) -> bytes:
        raise NotImplementedError

    async def _apply(self, operations: Sequence[Operation], fence: Lease | None) -> None:
        changed = [
            replace(each, value=self._kept(each.value)) if isinstance(each, Put) else each
            for each in operations
        ]
        await super()._apply(changed, fence)


class EmptyIsDelete(Specimen):
    """Tests `if (value)`, so an empty value deletes: both drivers of arcaelas, old version."""

    breaks = "V1"

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Delete when there is nothing to write."""
        await super().set(key, value or None, at=at)


class EmptyReadsAsAbsent(Specimen):
    """Stores an empty value and then reads it as None: `if not value` on the way out."""

    breaks = "V1"

    async def get(self, key: str) -> bytes | None:
        """Read what is not empty."""
        return await super().get(key) or None


class EmptyLeftOutOfGetMany(Specimen):
    """Leaves keys with empty values out of `get_many`."""

    breaks = "V1"

    async def _get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        found = await super()._get_many(keys)
        return found if len(keys) == 1 else {key: value for key, value in found.items() if value}


class DropsNulBytes(Changing):
    """Loses NUL bytes: a TEXT column, or the PostgreSQL example of the three-method contract."""

    breaks = "V1"

    def _kept(self, value: bytes) -> bytes:
        return value.replace(b"\0", b"")


class CutsAtNul(Changing):
    """Ends a value at its first NUL byte, as a C string does."""

    breaks = "V1"

    def _kept(self, value: bytes) -> bytes:
        return value.partition(b"\0")[0]


class DecodesUtf8WithReplace(Changing):
    """Passes values through text and loses what is no UTF-8: bridges moved with pgloader."""

    breaks = "V1"

    def _kept(self, value: bytes) -> bytes:
        return value.decode(errors="replace").encode()


class TranslatesNewlines(Changing):
    """Opens its files in text mode and turns CR LF into LF."""

    breaks = "V1"

    def _kept(self, value: bytes) -> bytes:
        return value.replace(b"\r\n", b"\n")


class StripsWhitespace(Changing):
    """Trims values, as a configuration reader would."""

    breaks = "V1"

    def _kept(self, value: bytes) -> bytes:
        return value.strip()


class RewritesJson(Changing):
    """Parses values that look like JSON and writes them anew: a JSONB column."""

    breaks = "V1"

    def _kept(self, value: bytes) -> bytes:
        try:
            return json.dumps(json.loads(value)).encode()
        except ValueError:
            return value


class CutsBigValues(Changing):
    """Keeps the first 65,535 bytes: MySQL's BLOB outside strict mode."""

    breaks = "V1"

    def _kept(self, value: bytes) -> bytes:
        return value[:65_535]


class CutsHugeValues(Changing):
    """Keeps one byte less than 8 MiB: the frame's header was counted in."""

    breaks = "V1"

    def _kept(self, value: bytes) -> bytes:
        return value[: 8 * 1024 * 1024 - 1]


class RefusesBigValues(Specimen):
    """Declares and enforces a limit of 1 MiB, as a key-value service of 2010 would."""

    breaks = "V1"
    promises = replace(CAPABILITIES, max_value=1024 * 1024)


class MutableAliasing(Specimen):
    """Keeps the caller's own buffer: what the caller does to it later changes the record."""

    breaks = "V1"
    _buffers: ClassVar[dict[tuple[str, str], bytearray]] = {}

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Remember the buffer itself."""
        await super().set(key, value, at=at)
        if isinstance(value, bytearray):
            self._buffers[self.session, key] = value
        else:
            self._buffers.pop((self.session, key), None)

    async def get(self, key: str) -> bytes | None:
        """Read the buffer as it is now."""
        stored = await super().get(key)
        buffer = self._buffers.get((self.session, key))
        return stored if stored is None or buffer is None else bytes(buffer)


class StrAsLatin1(Specimen):
    """Encodes text as Latin-1: a driver's default character set."""

    breaks = "V2"

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Write text in the wrong character set."""
        if isinstance(value, str):
            value = value.encode("latin-1", errors="replace")
        await super().set(key, value, at=at)


class StrAsJson(Specimen):
    """Writes text as a JSON string, quotes included."""

    breaks = "V2"

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Write text in quotes."""
        await super().set(key, json.dumps(value) if isinstance(value, str) else value, at=at)


class NormalisesText(Specimen):
    """Composes the characters of a text before it is written."""

    breaks = "V2"

    async def set(self, key: str, value: bytes | str | None, *, at: int | None = None) -> None:
        """Write other text that looks the same."""
        if isinstance(value, str):
            value = unicodedata.normalize("NFC", value)
        await super().set(key, value, at=at)


class _OwnLimit(Specimen):
    """Looks after its limit itself, in `_refuse`."""

    async def apply(self, batch: Batch, *, fence: Lease | None = None) -> None:
        """Apply without the base class's look at sizes."""
        if not isinstance(batch, Batch):
            raise TypeError("apply takes a Batch")
        limit = self.capabilities.max_value
        operations: list[Operation] = []
        for each in batch:
            too_large = isinstance(each, Put) and len(each.value) > limit
            operations.append(await self._oversized(each, operations) if too_large else each)
        await self._in_time(self._apply_in_turn(operations, fence))

    async def _oversized(self, operation: Operation, before: list[Operation]) -> Operation:
        raise NotImplementedError


class PartlyWritesBeforeTooLarge(_OwnLimit):
    """Writes what stands before the value that is too large, then complains."""

    breaks = "V3"

    async def _oversized(self, operation: Operation, before: list[Operation]) -> Operation:
        await super(_OwnLimit, self).apply(unchecked(*before))
        raise ValueTooLargeError(self.capabilities.max_value + 1, self.capabilities.max_value)


class TooLargeIsSomeError(_OwnLimit):
    """Says `StorageError` and no limit when a value is too large."""

    breaks = "V3"

    async def _oversized(self, operation: Operation, before: list[Operation]) -> Operation:
        raise StorageError("packet too large")


class TooLargeNamesWrongLimit(_OwnLimit):
    """Names the limit of the protocol's frame instead of its own."""

    breaks = "V3"

    async def _oversized(self, operation: Operation, before: list[Operation]) -> Operation:
        raise ValueTooLargeError(self.capabilities.max_value + 1, 2**32)


class CutsWhatIsTooLarge(_OwnLimit):
    """Cuts a value at its limit and says nothing."""

    breaks = "V3"

    async def _oversized(self, operation: Operation, before: list[Operation]) -> Operation:
        if not isinstance(operation, Put):
            return operation
        return replace(operation, value=operation.value[: self.capabilities.max_value])


class TooLargeDeletes(_OwnLimit):
    """Removes the old record to make room, and then finds the new one too large."""

    breaks = "V3"

    async def _oversized(self, operation: Operation, before: list[Operation]) -> Operation:
        if operation.key in self.store.values:
            self.store.cascade(operation.key)
        raise ValueTooLargeError(self.capabilities.max_value + 1, self.capabilities.max_value)


SPECIMENS = (
    EmptyIsDelete,
    EmptyReadsAsAbsent,
    EmptyLeftOutOfGetMany,
    DropsNulBytes,
    CutsAtNul,
    DecodesUtf8WithReplace,
    TranslatesNewlines,
    StripsWhitespace,
    RewritesJson,
    CutsBigValues,
    CutsHugeValues,
    RefusesBigValues,
    MutableAliasing,
    StrAsLatin1,
    StrAsJson,
    NormalisesText,
    PartlyWritesBeforeTooLarge,
    TooLargeIsSomeError,
    TooLargeNamesWrongLimit,
    CutsWhatIsTooLarge,
    TooLargeDeletes,
)
