"""Small records of every kind that Baileys has, with the ids that are hard to spell elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from wa_core.storage import Batch
from wa_core.storage.layouts import CREDS, dumps, key_of

KEYS = {"public": b"\x00\x01", "private": b"\xff"}
RECORDS: Mapping[str, bytes] = {
    CREDS: dumps({"registrationId": 7, "noiseKey": KEYS}),
    key_of("pre-key", "12"): dumps(KEYS),
    key_of("session", "100000000000001_1.0"): dumps({"_sessions": {}, "version": "v1"}),
    key_of("sender-key", "123-456@g.us::55_1::0"): dumps(b"[]"),
    key_of("sender-key-memory", "123-456@g.us"): dumps({"1:1@lid": True}),
    key_of("app-state-sync-key", "AP/AA+8="): dumps({"keyData": "QQ=="}),
    key_of("app-state-sync-version", "regular_high"): dumps({"version": 1, "hash": b"h"}),
    key_of("lid-mapping", "\xfcn\xef%2F[*?]_reverse"): dumps("15550000001"),
    key_of("device-list", "55"): dumps(["0", "1"]),
    key_of("tctoken", "55@lid"): dumps({"token": b"t"}),
    key_of("identity-key", "55_128.99"): dumps(b"\x05"),
    "wa/move": b'{"stage": "leaving"}',
}
OTHERS: Mapping[str, bytes] = {
    "contact/5491@s.whatsapp.net/index": b'{"id": "5491@s.whatsapp.net"}',
    "lid/55@lid": b"5491@s.whatsapp.net",
    "chat/123-456@g.us/index": b'{"name": "caf\xc3\xa9 %20"}',
    "chat/123-456@g.us/messages": b"1700000000 ID1\n",
    "chat/123-456@g.us/message/ID1/index": b"{}",
    "chat/123-456@g.us/message/ID1/content": b"aGVsbG8=",
}
"""What a library keeps beside its records."""


def batch_of(records: Mapping[str, bytes]) -> Batch:
    """Put all of them."""
    batch = Batch()
    for key, value in records.items():
        batch.put(key, value)
    return batch
