"""The scan for secrets finds each form in each place, and nothing where there is nothing."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from wa_conformance.canary import Scanner

SECRET = random.Random(5).randbytes(32)
WORDS = b"correct horse \xc3\xa9 battery"


def behind(before: int, secret: bytes) -> bytes:
    """Spell a secret in base64 that begins in the middle of something else."""
    return b64encode(os.urandom(before) + secret + os.urandom(before))


SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "raw": bytes,
    "hex": lambda secret: secret.hex().encode(),
    "upper hex": lambda secret: secret.hex().upper().encode(),
    "repr": lambda secret: repr({"key": secret}).encode(),
    "repr of a bytearray": lambda secret: repr(bytearray(secret)).encode(),
    "list": lambda secret: str(list(secret)).encode(),
    "JSON list": lambda secret: json.dumps(list(secret), separators=(",", ":")).encode(),
    "base64": b64encode,
    "base64url": urlsafe_b64encode,
    **{f"base64 behind {before} bytes": partial(behind, before) for before in range(1, 7)},
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("secret", [SECRET, WORDS, bytes(range(240, 256))])
def test_every_spelling_of_a_secret_is_found(spelling: str, secret: bytes) -> None:
    scanner = Scanner(canary=secret)

    scanner.look("a log", b"before " + SPELLINGS[spelling](secret) + b" behind")

    assert {(hit.where, hit.name) for hit in scanner.hits} == {("a log", "canary")}


@pytest.mark.parametrize("spelled", [json.dumps(WORDS.decode()), WORDS.decode(), repr(WORDS)])
def test_words_are_found_in_texts(spelled: str) -> None:
    scanner = Scanner(words=WORDS)

    scanner.look("a text", f"they are {spelled}.")

    assert scanner.hits


def test_what_is_not_there_is_not_found() -> None:
    scanner = Scanner(canary=SECRET, words=WORDS)

    for size in range(200):
        scanner.look("noise", os.urandom(size))
        scanner.look("the same but for a byte", SECRET[:-1] + bytes([SECRET[-1] ^ 1]))

    assert scanner.hits == []
    assert scanner.scanned > 20_000


def test_files_names_errors_reprs_and_processes_are_looked_at(tmp_path: Path) -> None:
    scanner = Scanner(canary=SECRET)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"x" + SECRET)
    (tmp_path / SECRET.hex()).touch()

    scanner.look_into(tmp_path)
    try:
        try:
            raise KeyError(SECRET)
        except KeyError as exc:
            raise ValueError("harmless") from exc
    except ValueError as exc:
        scanner.look_at_objects([exc, [SECRET]])
    command = [sys.executable, "-c", "print(flush=True); input()", SECRET.hex()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        # A process has no command line yet while it is being made.
        assert process.stdout is not None
        process.stdout.readline()
        scanner.look_at_processes()
        process.communicate(b"\n")

    seen = [hit.where for hit in scanner.hits]
    assert str(tmp_path / "folder" / "file") in seen
    assert f"name of {tmp_path / SECRET.hex()}" in seen
    assert "traceback of ValueError" in seen
    assert "repr of ValueError" not in seen
    assert "repr of list" in seen
    assert f"/proc/{process.pid}/cmdline" in seen


def test_a_canary_too_short_to_tell_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Scanner(canary=b"short")
