"""A session in which there is one record of every kind, and every one is read by somebody."""

from __future__ import annotations

from dataclasses import replace

from state_bench.identities import some_creds
from wa_core.storage.layouts import CREDS, KINDS, dumps, key_of

APP_STATE_KEY = "AAAA"
CREDENTIALS = replace(some_creds(), my_app_state_key_id=APP_STATE_KEY).to_bytes()
CONTACT = "contact/1@s.whatsapp.net/index"

RECORDS = {
    CREDS: CREDENTIALS,
    **{key_of(kind, "AAAA"): dumps({"of": kind, "key": b"\x07" * 8}) for kind in KINDS},
    key_of("lid-mapping", "AAAA"): dumps("15550000002"),
}
"""What every layout has a place for."""
WHOLE = {**RECORDS, CONTACT: b'{"name":"Contact"}'}

ODD = {
    "nothing": b"",
    "no text": b"\xff\xfe{}",
    "no JSON": b"credentials",
    "two documents": CREDENTIALS + CREDENTIALS,
    "not a number of JSON": CREDENTIALS.replace(b'"accountSyncCounter":0', b'"x":NaN'),
    "a number without end": CREDENTIALS.replace(b'"accountSyncCounter":0', b'"x":' + b"1" * 5000),
    "a nest without end": b'{"x":' * 100_000,
    "a buffer of no base64": CREDENTIALS.replace(b'"data":"', b'"data":"*', 1),
    "null": b"null",
    "a list": b"[]",
    "a text": b'"credentials"',
    "a buffer": dumps(CREDENTIALS),
}
"""Credentials that are no JSON object, by what they are."""
OF_ANOTHER_SHAPE = {
    "an empty object": b"{}",
    "a part of the fields": b'{"me":{"id":"1:1@s.whatsapp.net"}}',
    "a field of another type": CREDENTIALS.replace(b"false", b"7"),
}
"""Whole objects that are no credentials."""
