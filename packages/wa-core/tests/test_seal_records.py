"""Sealed records and heads as bytes: what is changed, swapped, moved or old is damaged, always."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Iterator
from itertools import permutations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from wa_core.crypto.derivation import Cost, Secret
from wa_core.errors import CorruptRecordError, StoreVersionError, UsageError, WaError, WrongKeyError
from wa_core.seal import record
from wa_core.seal.head import HEAD_KEY, Head, Keys, Lock
from wa_core.seal.record import MAX_GENERATION, OVERHEAD, DataKey, Ring

SESSION = bytes(range(16))
CHEAP = Cost(n=2, r=1, p=1)
VALUE = b"a private key, which nobody must read"


def data_key(generation: int) -> DataKey:
    return DataKey(generation, os.urandom(16), 1_700_000_000_000_000, os.urandom(32))


def flips(data: bytes) -> Iterator[bytes]:
    """Change each single bit, one at a time."""
    for place in range(8 * len(data)):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        yield bytes(changed)


@given(st.text(min_size=1), st.binary(max_size=20_000))
def test_what_is_sealed_comes_back_and_is_not_to_be_seen(name: str, value: bytes) -> None:
    ring = Ring(SESSION, [data_key(1)])

    sealed = ring.seal(name, value)

    assert ring.unseal(name, sealed) == value
    assert len(sealed) == len(value) + OVERHEAD
    assert len(value) < 8 or value not in sealed
    assert ring.seal(name, value) != sealed


@pytest.mark.parametrize("size", [0, 1, 8192 - OVERHEAD - 1, 8192 - OVERHEAD, 8193 - OVERHEAD])
def test_a_record_is_laid_out_as_the_document_says(size: int) -> None:
    """Read one with nothing of ours but the offsets in docs/sealing.md."""
    key, value = data_key(7), os.urandom(size)

    sealed = Ring(SESSION, [key]).seal("session/creds", value)

    bound = b"wa-seal" + b"\x01" + SESSION + key.id + b"\x00\x00\x00\x07" + b"session/creds"
    assert sealed[:5] == b"\x01\x00\x00\x00\x07"
    assert AESGCM(key.key).decrypt(sealed[5:17], sealed[17:], bound) == value


def test_an_older_cryptography_seals_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = Ring(SESSION, [data_key(1)])
    monkeypatch.setattr(record, "_INTO_PLACE", False)

    sealed = ring.seal("a", VALUE)

    assert len(sealed) == len(VALUE) + OVERHEAD
    assert ring.unseal("a", sealed) == VALUE


def test_a_record_changed_in_any_bit_is_damaged() -> None:
    ring = Ring(SESSION, [data_key(1), data_key(2)])
    sealed = ring.seal("session/creds", VALUE)

    for changed in flips(sealed):
        with pytest.raises(CorruptRecordError, match="session/creds"):
            ring.unseal("session/creds", changed)


def test_a_record_cut_or_grown_anywhere_is_damaged() -> None:
    ring = Ring(SESSION, [data_key(1)])
    sealed = ring.seal("a", VALUE)

    for other in [*(sealed[:end] for end in range(len(sealed))), sealed + b"\x00", VALUE]:
        assert not ring.is_behind(other[: OVERHEAD - 1])
        with pytest.raises(CorruptRecordError):
            ring.unseal("a", other)


def test_records_cannot_change_places() -> None:
    names = [
        "session/creds",
        "session/creds/x",
        "session/cred",
        "s",
        "session/Creds",
        "\u00e9",
        "e",
    ]
    ring = Ring(SESSION, [data_key(1)])
    sealed = {name: ring.seal(name, VALUE) for name in names}

    for one, other in permutations(names, 2):
        with pytest.raises(CorruptRecordError):
            ring.unseal(one, sealed[other])


def test_a_record_means_nothing_in_another_session() -> None:
    key = data_key(1)
    theirs = Ring(SESSION[::-1], [key])
    sealed = Ring(SESSION, [key]).seal("a", VALUE)

    for ring in (theirs, Ring(SESSION, [data_key(1)]), Ring(SESSION, [data_key(2)])):
        with pytest.raises(CorruptRecordError):
            ring.unseal("a", sealed)


def test_a_record_of_a_generation_that_is_gone_is_damaged() -> None:
    old, new = data_key(1), data_key(2)
    sealed = Ring(SESSION, [old]).seal("a", VALUE)

    rotating, rotated = Ring(SESSION, [old, new]), Ring(SESSION, [new])

    assert rotating.unseal("a", sealed) == VALUE
    assert not rotating.is_current(sealed)
    assert not rotated.is_behind(sealed)
    assert Ring(SESSION, [old]).is_behind(rotated.seal("a", VALUE))
    with pytest.raises(CorruptRecordError, match="not sealed with a key of this session"):
        rotated.unseal("a", sealed)


@pytest.mark.skipif(not record._INTO_PLACE, reason="cryptography before 47 makes a copy more")
def test_sealing_a_record_of_four_kilobytes_makes_one_copy_of_it() -> None:
    ring, value = Ring(SESSION, [data_key(1)]), os.urandom(4096)
    ring.unseal("a", ring.seal("a", value))

    def peak(call: object) -> int:
        assert callable(call)
        tracemalloc.start()
        held = call()
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert held
        return size

    sealed = ring.seal("a", value)
    assert peak(lambda: ring.seal("a", value)) < 1.5 * len(value)
    assert peak(lambda: ring.unseal("a", sealed)) < 1.5 * len(value)


def lock_of(words: bytes = b"correct horse battery") -> Lock:
    return Lock.fresh(Secret(words, is_passphrase=True), CHEAP)


@pytest.mark.parametrize("secret", [Secret(bytes(32), False), Secret(b"a passphrase", True)])
def test_a_head_comes_back_from_its_json(secret: Secret) -> None:
    lock = Lock.fresh(secret, CHEAP)
    keys = Keys.fresh().grown()

    data = keys.locked(lock).to_bytes()

    head = Head.from_bytes(data)
    assert head.open(Lock.of(secret, head.derivation)) == keys
    assert json.loads(data)["version"] == 1
    assert head.to_bytes() == data


def test_a_head_changed_in_any_bit_opens_nothing() -> None:
    lock = Lock.fresh(Secret(bytes(32), is_passphrase=False), CHEAP)
    data = Keys.fresh().grown().locked(lock).to_bytes()

    def opened(data: bytes) -> Keys:
        head = Head.from_bytes(data)
        return head.open(Lock.of(Secret(bytes(32), is_passphrase=False), head.derivation))

    assert opened(data).generation == 2
    for changed in flips(data):
        with pytest.raises((CorruptRecordError, StoreVersionError, WrongKeyError)):
            opened(changed)


def test_a_key_cannot_be_carried_from_an_older_head_into_a_newer_one() -> None:
    lock = lock_of()
    older = Keys.fresh()
    newer = older.grown().pruned()
    fields = json.loads(newer.locked(lock).to_bytes())

    old_fields = json.loads(older.locked(lock).to_bytes())
    for forged in (
        {**fields, "keys": old_fields["keys"]},
        {**fields, "keys": old_fields["keys"] + fields["keys"]},
        {**fields, "wrapped": old_fields["wrapped"]},
        {**fields, "session": "00" * 16},
    ):
        with pytest.raises(CorruptRecordError, match=HEAD_KEY):
            Head.from_bytes(json.dumps(forged).encode()).open(lock)


def test_a_wrong_key_is_told_from_a_damaged_head() -> None:
    head = Keys.fresh().locked(lock_of())

    with pytest.raises(WrongKeyError):
        head.open(lock_of())
    with pytest.raises(WrongKeyError):
        head.open(Lock.of(Secret(b"another passphrase", is_passphrase=True), head.derivation))


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"version": "1"}',
        b'{"version": true}',
        b'{"version": 0}',
        b'{"version": 1e999}',
    ],
)
def test_what_is_no_head_is_damage_and_not_absence(broken: bytes) -> None:
    with pytest.raises(CorruptRecordError, match=HEAD_KEY):
        Head.from_bytes(broken)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("keys", []),
        ("keys", "x"),
        ("session", "00"),
        ("session", 1),
        ("check", ""),
        ("wrapped", "!"),
        ("wrapped", ""),
        ("derivation", {"kind": "other", "salt": "00" * 16}),
        ("derivation", {"kind": "scrypt", "salt": "00" * 16, "n": 2**40, "r": 8, "p": 1}),
        ("derivation", {"kind": "scrypt", "salt": "00" * 16, "n": "2", "r": 8, "p": 1}),
    ],
)
def test_a_head_with_a_senseless_field_is_damaged(field: str, value: object) -> None:
    lock = lock_of()
    fields = {**json.loads(Keys.fresh().locked(lock).to_bytes()), field: value}

    with pytest.raises(CorruptRecordError, match=HEAD_KEY):
        Head.from_bytes(json.dumps(fields).encode()).open(lock)


def test_a_newer_head_is_refused_as_newer() -> None:
    with pytest.raises(StoreVersionError, match="version 2"):
        Head.from_bytes(b'{"version": 2, "of": "another time"}')


def test_generations_end_before_they_begin_again() -> None:
    last = Keys(SESSION, (data_key(MAX_GENERATION),))

    with pytest.raises(UsageError, match="generations"):
        last.grown()


def test_nothing_of_a_key_is_in_a_repr_or_an_error() -> None:
    lock, keys = lock_of(), Keys.fresh()
    secrets = [keys.keys[0].key, lock.key, b"correct horse battery", VALUE]
    errors: list[WaError] = []
    for call in (
        lambda: keys.ring().unseal("a", VALUE),
        lambda: keys.locked(lock).open(lock_of()),
        lambda: Head.from_bytes(VALUE),
    ):
        with pytest.raises(WaError) as caught:
            call()
        errors.append(caught.value)

    shown = repr((lock, keys, keys.locked(lock), keys.ring(), errors)) + "".join(map(str, errors))

    for secret in secrets:
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown
