"""The format as docs/archive-format.md says it: a reader that was written from that page alone."""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from archive_bench.made import CHEAP, KEY, SECRET, TAKEN_AT, entries, write_archive
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from wa_core.archive import About
from wa_core.archive.header import Header
from wa_core.crypto.derivation import Cost
from wa_core.crypto.keysource import secret_of
from wa_core.errors import WaError
from wa_core.storage import Entry

PASSPHRASE = "correct horse battery staple"
Found = tuple[dict[str, Any], list[tuple[str, int, bytes]]]


def read_by_the_book(data: bytes, secret: bytes) -> Found:
    """Read an archive; nothing of wa_core is used from here to the end of this function."""
    magic, version, way, zero, n, r, p, salt = struct.unpack(">8sHBBIII16s", data[:40])
    assert (magic, version, zero) == (b"\x8bWA-ARC\n", 1, 0)
    if way == 1:
        assert 128 * r * (n + p + 2) <= 256 * 1024 * 1024
        assert n * r * p <= 2**26
        secret = hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, maxmem=2**29, dklen=32)
    master = HKDF(SHA256(), 32, salt, b"wa archive 1").derive(secret)
    header_key = hmac.digest(master, b"header", "sha256")
    frame_key = hmac.digest(master, b"frames", "sha256")
    assert hmac.digest(header_key, data[:40], "sha256") == data[40:72]

    aead, bound = AESGCM(frame_key), hashlib.sha256(data[:72]).digest()
    place, number, whole = 72, 0, hashlib.sha256()
    told: dict[str, Any] = {}
    records: list[tuple[str, int, bytes]] = []
    while True:
        (length,) = struct.unpack(">I", data[place : place + 4])
        sealed = data[place + 4 : place + 4 + length]
        place += 4 + length
        is_end = place == len(data)
        nonce = b"\xff" * 12 if is_end else number.to_bytes(12)
        plain = aead.decrypt(nonce, sealed, bound)
        if is_end:
            assert length + 4 == 61
            kind, count, digest = struct.unpack(">BQ32s", plain)
            assert (kind, count, digest) == (3, len(records), whole.digest())
            return told, records
        whole.update(struct.pack(">I", len(plain)) + plain)
        if number == 0:
            assert plain[0] == 1
            told = json.loads(plain[1:])
        else:
            kind, size, at = struct.unpack(">BHQ", plain[:11])
            assert kind == 2
            assert not records or records[-1][0].encode() < plain[11 : 11 + size]
            records.append((plain[11 : 11 + size].decode(), at, plain[11 + size :]))
        number += 1


def as_told(records: list[Entry]) -> list[tuple[str, int, bytes]]:
    return [(entry.key, entry.at, entry.value) for entry in records]


def test_a_reader_written_from_the_document_reads_an_archive(tmp_path: Path) -> None:
    records = entries(50)
    about = About(
        session="bot", source="file:/x#bot", taken_at=TAKEN_AT, last_state=True, scope=("chat/",)
    )
    write_archive(tmp_path / "a", records, about=about)

    told, found = read_by_the_book((tmp_path / "a").read_bytes(), SECRET.data)

    assert found == as_told(records)
    assert told == {
        "session": "bot",
        "source": "file:/x#bot",
        "taken_at": TAKEN_AT,
        "last_state": True,
        "scope": ["chat/"],
        "writer": "wa-core",
    }


@pytest.mark.parametrize("number", [0, 1])
def test_it_reads_one_with_nothing_or_next_to_nothing_in_it(tmp_path: Path, number: int) -> None:
    records = entries(20)[:number]
    write_archive(tmp_path / "a", records)

    assert read_by_the_book((tmp_path / "a").read_bytes(), SECRET.data)[1] == as_told(records)


@pytest.mark.parametrize("cost", [CHEAP, Cost(n=2**10, r=8, p=2)])
def test_it_reads_one_that_a_passphrase_locks(tmp_path: Path, cost: Cost) -> None:
    records = entries(5)
    write_archive(tmp_path / "a", records, secret_of(PASSPHRASE, "a test"), cost=cost)

    found = read_by_the_book((tmp_path / "a").read_bytes(), PASSPHRASE.encode())

    assert found[1] == as_told(records)


def test_a_key_is_written_as_the_document_says() -> None:
    assert KEY.startswith("wa-key:")
    assert len(SECRET.data) == 32


def test_no_two_archives_share_a_key(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_archive(tmp_path / name, entries(5))

    first, second = ((tmp_path / name).read_bytes() for name in ("a", "b"))

    assert first[24:40] != second[24:40]
    assert first[72:] != second[72:]


def test_a_passphrase_costs_what_owasp_asks_for_unless_a_test_says_less() -> None:
    header = Header.fresh(secret_of(PASSPHRASE, "a test"))

    cost = header.derivation.cost

    assert cost is not None
    assert cost.n * cost.r * cost.p >= 2**17 * 5


@pytest.mark.parametrize(
    ("place", "value"),
    [(11, 1), (10, 2), (12, 2**31), (16, 2**31), (20, 2**31), (12, 3), (12, 0)],
)
def test_a_header_that_asks_for_what_no_archive_asks_is_refused_before_it_costs_anything(
    tmp_path: Path, place: int, value: int
) -> None:
    secret = secret_of(PASSPHRASE, "a test")
    write_archive(tmp_path / "a", [], secret, cost=CHEAP)
    data = bytearray((tmp_path / "a").read_bytes()[:72])
    data[place : place + 4] = (
        value.to_bytes(4) if place >= 12 else bytes([value]) + data[place + 1 : place + 4]
    )

    with pytest.raises(WaError, match="header"):
        Header.from_bytes(bytes(data), "a")
