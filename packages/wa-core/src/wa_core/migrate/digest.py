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

    def add_all(self, entries: Sequence[Entry]) -> None:
        """Take in some records; this is most of what a proof costs, so it is one plain loop."""
        sums, reduced, positions = self._sums, self._likeness.value, self._likeness.positions
        size = 0
        for entry in entries:
            key, value = entry.key.encode(), reduced(entry.key, entry.value)
            head = b"%d %d %b" % (len(key), entry.at if positions else 0, key)
            place = crc32(key) % BUCKETS
            sums[place] += int.from_bytes(sha256(head + value).digest())
            size += len(key) + len(value)
        self.records += len(entries)
        self.size += size

    def differing(self, other: Digest) -> frozenset[int]:
        """Name the buckets in which the two are not the same."""
        pairs = zip(self._reduced(), other._reduced(), strict=True)
        return frozenset(place for place, (mine, its) in enumerate(pairs) if mine != its)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Digest):
            return NotImplemented
        return self.records == other.records and self._reduced() == other._reduced()

    def hexdigest(self) -> str:
        """Return one SHA-256 over all sums, for people and logs."""
        whole = sha256(b"%d" % self.records)
        for number in self._reduced():
            whole.update(number.to_bytes(32))
        return whole.hexdigest()

    def _reduced(self) -> list[int]:
        return [number % _MODULUS for number in self._sums]


def bucket_of(key: str) -> int:
    """Return the bucket that a key falls into."""
    return crc32(key.encode()) % BUCKETS
