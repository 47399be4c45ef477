"""Two stores compared without holding their keys: SHA-256 of every record, summed in buckets.

Scans come in any order, so what is compared must not depend on it, and a million keys must not lie
in memory. Each record is hashed whole (key, position, value), and the hashes of the keys that fall
into one bucket are added up modulo 2**256. Equal sums mean equal sets of records, in both
directions at once: one that is missing, foreign or different changes its bucket, and one that comes
twice too. Where sums differ, only the records of those buckets have to be looked at again.

This finds every accident. It is no proof against somebody who computes records to fit, who could as
well change both stores.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from zlib import crc32

from wa_core.migrate.layout import Likeness
from wa_core.storage import Entry

BUCKETS = 4096
_MODULUS = 2**256


class Digest:
    """A growing set of records as 4096 sums."""

    __slots__ = ("_likeness", "_sums", "records", "size")

    def __init__(self, likeness: Likeness) -> None:
        self._likeness = likeness
        self.records = 0
        self.size = 0
        """The bytes of all keys and values."""
        self._sums = [0] * BUCKETS

    def add(self, entry: Entry) -> None:
        """Take in one record."""
        key = entry.key.encode()
        head = b"%d %d " % (len(key), entry.at if self._likeness.positions else 0)
        value = self._likeness.value(entry.key, entry.value)
        number = int.from_bytes(sha256(b"".join((head, key, value))).digest())
        place = crc32(key) % BUCKETS
        self._sums[place] = (self._sums[place] + number) % _MODULUS
        self.records += 1
        self.size += len(key) + len(value)

    def add_all(self, entries: Sequence[Entry]) -> None:
        """Take in many."""
        for entry in entries:
            self.add(entry)

    def differing(self, other: Digest) -> frozenset[int]:
        """Name the buckets in which the two are not the same."""
        pairs = zip(self._sums, other._sums, strict=True)
        return frozenset(place for place, (mine, its) in enumerate(pairs) if mine != its)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Digest):
            return NotImplemented
        return self.records == other.records and self._sums == other._sums

    __hash__ = None  # type: ignore[assignment]  # it grows

    def hexdigest(self) -> str:
        """Return one SHA-256 over all sums, for people and logs."""
        whole = sha256(b"%d" % self.records)
        for number in self._sums:
            whole.update(number.to_bytes(32))
        return whole.hexdigest()


def bucket_of(key: str) -> int:
    """Return the bucket that a key falls into."""
    return crc32(key.encode()) % BUCKETS
