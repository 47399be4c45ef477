"""Where keys are kept, how they are written, and what a header may make us do with them."""

from __future__ import annotations

import os
import sys
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from types import ModuleType

import pytest
from wa_core.crypto.derivation import STRONG, Cost, Derivation, Secret
from wa_core.crypto.keysource import (
    KEY_PREFIX,
    MIN_PASSPHRASE,
    KeySource,
    new_key,
    secret_of,
    source_of,
)
from wa_core.errors import (
    InvalidUrlError,
    KeyUnavailableError,
    MissingExtraError,
    WrongKeyError,
)

RAW = bytes(range(224, 256))
CHEAP = Cost(n=16, r=1, p=1)
SALT = b"salt of sixteen."


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "wa.key"
    path.write_text(new_key() + "\n")
    path.chmod(0o600)
    return path


async def test_a_new_key_is_thirty_two_bytes_and_never_twice_the_same() -> None:
    texts = {new_key() for _ in range(100)}

    found = {secret_of(text, "here") for text in texts}

    assert len(found) == 100
    assert all(len(each.data) == 32 and not each.is_passphrase for each in found)


@pytest.mark.parametrize(
    "spelled",
    [
        RAW.hex(),
        RAW.hex().upper(),
        b64encode(RAW).decode(),
        urlsafe_b64encode(RAW).decode(),
        urlsafe_b64encode(RAW).decode().rstrip("=") + "\r\n",
    ],
)
def test_every_spelling_of_a_key_is_the_same_key(spelled: str) -> None:
    assert secret_of(KEY_PREFIX + spelled, "here") == Secret(RAW, is_passphrase=False)
    assert secret_of(RAW, "here") == Secret(RAW, is_passphrase=False)


@pytest.mark.parametrize("broken", ["", "abc", RAW.hex()[:-1], RAW.hex() + "0", "!" * 43, "A" * 42])
def test_a_broken_key_is_no_passphrase(broken: str) -> None:
    with pytest.raises(KeyUnavailableError, match="32 bytes"):
        secret_of(KEY_PREFIX + broken, "here")


def test_words_without_the_prefix_are_a_passphrase_of_some_length() -> None:
    assert secret_of("caf\u00e9 at midnight\n", "x") == secret_of("cafe\u0301 at midnight", "x")
    assert secret_of(b"twelve chars", "x") == Secret(b"twelve chars", is_passphrase=True)
    for short in ("", "x" * (MIN_PASSPHRASE - 1), b"\xff" * 20):
        with pytest.raises(KeyUnavailableError):
            secret_of(short, "x")


async def test_a_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    source = KeySource.parse("env:WA_TEST_KEY")
    monkeypatch.delenv("WA_TEST_KEY", raising=False)
    with pytest.raises(KeyUnavailableError, match="env:WA_TEST_KEY: the variable is not set"):
        await source.load()

    monkeypatch.setenv("WA_TEST_KEY", KEY_PREFIX + RAW.hex())

    assert (await source.load()).data == RAW


async def test_a_key_comes_from_a_file_that_only_its_owner_reads(key_file: Path) -> None:
    source = KeySource.parse(f"file:{key_file}")

    assert len((await source.load()).data) == 32
    for mode in (0o640, 0o604, 0o620, 0o601):
        key_file.chmod(mode)
        with pytest.raises(KeyUnavailableError, match="chmod 600"):
            await source.load()


async def test_what_is_no_key_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "large").write_bytes(bytes(5000))
    (tmp_path / "large").chmod(0o600)

    for name, reason in (
        ("pipe", "no file"),
        ("large", "4096"),
        ("none", "No such"),
        (".", "directory"),
    ):
        with pytest.raises(KeyUnavailableError, match=reason):
            await KeySource.parse(f"file:{tmp_path / name}").load()


def test_a_file_is_named_from_the_root() -> None:
    assert str(KeySource.parse("file:~/wa.key")) == f"file:{Path('~/wa.key').expanduser()}"
    assert str(KeySource.parse("file:keys/../wa.key")) == f"file:{Path.cwd()}/wa.key"


class _Refusal(Exception):
    """What stands for the errors of the keyring package."""


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """Put a keyring in place of the desktop's."""
    entries: dict[tuple[str, str], str] = {}

    def get_password(service: str, user: str) -> str | None:
        if service == "locked":
            raise _Refusal("the words of a keyring may say anything")
        return entries.get((service, user))

    module, errors = ModuleType("keyring"), ModuleType("keyring.errors")
    vars(module).update(get_password=get_password, errors=errors)
    vars(errors).update(KeyringError=_Refusal)
    monkeypatch.setitem(sys.modules, "keyring", module)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    return entries


async def test_a_key_comes_from_the_keyring(keyring: dict[tuple[str, str], str]) -> None:
    keyring["wa", "store"] = KEY_PREFIX + RAW.hex()

    assert (await KeySource.parse("keyring:wa/store").load()).data == RAW
    for word, reason in (("keyring:wa/other", "no such entry"), ("keyring:locked/x", "_Refusal")):
        with pytest.raises(KeyUnavailableError, match=reason):
            await KeySource.parse(word).load()


async def test_without_the_keyring_package_the_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'wa-core\[keyring\]'"):
        await KeySource.parse("keyring:wa/store").load()


async def test_a_callback_gives_the_key_now_or_later() -> None:
    async def later() -> bytes:
        return RAW

    for call in (later, lambda: RAW, lambda: KEY_PREFIX + RAW.hex()):
        assert (await source_of(call).load()).data == RAW
    with pytest.raises(KeyUnavailableError, match="neither str nor bytes"):
        await source_of(lambda: None).load()  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize("word", ["", "env:", "file:", "keyring:x", "keyring:/x", "keyring:x/"])
def test_a_word_that_names_no_place_is_refused(word: str) -> None:
    with pytest.raises(InvalidUrlError, match="env:NAME"):
        KeySource.parse(word)


@pytest.mark.parametrize("word", ["hunter2-hunter2", "vault:hunter2", "wa-key:hunter2"])
def test_what_may_be_the_key_itself_is_refused_and_not_repeated(word: str) -> None:
    with pytest.raises(InvalidUrlError, match="env:NAME") as caught:
        KeySource.parse(word)

    assert "hunter2" not in str(caught.value) + repr(caught.value)


def test_neither_sources_nor_secrets_show_what_they_hold() -> None:
    secret = secret_of("correct horse battery", "x")
    source = source_of(lambda: "correct horse battery")

    assert "horse" not in repr(secret) + repr(source) + str(source)
    assert repr(RAW) not in repr(Secret(RAW, is_passphrase=False))


def test_a_key_depends_on_the_secret_the_salt_the_cost_and_the_use() -> None:
    words = secret_of("correct horse battery", "x")
    other = secret_of("correct horse batterie", "x")
    raw = secret_of(RAW, "x")

    keys = {
        Derivation.fresh(secret, salt, cost).key(secret, info)
        for secret in (words, other)
        for salt in (SALT, SALT[::-1])
        for cost in (CHEAP, Cost(n=32, r=1, p=1))
        for info in (b"seal", b"archive")
    } | {Derivation.fresh(raw, SALT).key(raw, b"seal"), Derivation.fresh(raw, SALT).key(raw, b"a")}

    assert len(keys) == 18
    assert {len(key) for key in keys} == {32}


def test_the_key_derivation_gives_the_published_values() -> None:
    """RFC 7914's parameters through `hashlib`, and RFC 5869 written out."""
    import hashlib
    import hmac

    words = Secret(b"pleaseletmein", is_passphrase=True)
    stretched = hashlib.scrypt(b"pleaseletmein", salt=b"SodiumChloride", n=16384, r=8, p=1)[:32]
    pseudo = hmac.new(b"SodiumChloride", stretched, "sha256").digest()
    expected = hmac.new(pseudo, b"info\x01", "sha256").digest()

    assert stretched.hex().startswith("7023bdcb3afd7348461c06cd81fd38eb")
    assert Derivation(b"SodiumChloride", Cost(n=16384, r=8, p=1)).key(words, b"info") == expected


def test_a_passphrase_does_not_open_what_a_key_locked() -> None:
    words, raw = secret_of("correct horse battery", "x"), secret_of(RAW, "x")

    for made, used in ((words, raw), (raw, words)):
        with pytest.raises(WrongKeyError):
            Derivation.fresh(made, SALT, CHEAP).key(used, b"")


@pytest.mark.parametrize(
    ("n", "r", "p"), [(0, 8, 1), (1, 8, 1), (3, 8, 1), (2**40, 8, 1), (16, 2**30, 1), (16, 1, 0)]
)
def test_a_header_cannot_ask_for_more_than_a_machine_has(n: int, r: int, p: int) -> None:
    with pytest.raises(ValueError, match="scrypt"):
        Cost(n=n, r=r, p=p)


def test_a_passphrase_costs_what_the_cheat_sheets_ask_for_and_little_memory() -> None:
    assert STRONG.n * STRONG.r * STRONG.p * 128 >= 96 * 1024 * 1024
    assert STRONG.memory < 40 * 1024 * 1024
