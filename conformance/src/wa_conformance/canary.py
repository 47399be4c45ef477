"""Secrets that are planted to be found again: wherever one shows up, something leaks.

A canary is looked for as it is and in the forms that programs write bytes in, also in the middle of
a longer text in base64. Where it is looked for is up to the test: logs, errors, reprs, folders, the
process list. A scan that cannot find anything proves nothing, so each test that uses one plants a
leak, too.
"""

from __future__ import annotations

import json
import traceback
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MIN_BYTES = 16
"""Fewer are found by chance, or not at all."""
_PROCESSES = Path("/proc")


@dataclass(frozen=True, slots=True)
class Hit:
    """A place where a canary was seen, and how it was written there."""

    where: str
    name: str
    form: str


class Scanner:
    """Looks for canaries, and keeps what it found."""

    def __init__(self, **canaries: bytes) -> None:
        for name, secret in canaries.items():
            if len(secret) < MIN_BYTES:
                raise ValueError(f"the canary {name} has under {MIN_BYTES} bytes")
        self._needles = [
            (name, form, needle)
            for name, secret in canaries.items()
            for form, needle in forms_of(secret)
        ]
        self.hits: list[Hit] = []
        self.scanned = 0
        """The bytes looked at: a scan of nothing finds nothing."""

    def look(self, where: str, data: bytes | str) -> None:
        """Look at some bytes, or at a text."""
        seen = data.encode(errors="surrogatepass") if isinstance(data, str) else data
        self.scanned += len(seen)
        self.hits += [
            Hit(where, name, form) for name, form, needle in self._needles if needle in seen
        ]

    def look_at_objects(self, objects: Iterable[object]) -> None:
        """Look at what a log would show of objects; errors with all that led to them."""
        for each in objects:
            where = type(each).__name__
            self.look(f"repr of {where}", f"{each!r} {each}")
            if isinstance(each, BaseException):
                lines = traceback.TracebackException.from_exception(each).format()
                self.look(f"traceback of {where}", "".join(lines))

    def look_into(self, folder: Path) -> None:
        """Look at the contents and the names of all files below a folder."""
        for path in sorted(folder.rglob("*")):
            self.look(f"name of {path}", str(path))
            if path.is_file() and not path.is_symlink():
                self.look(str(path), path.read_bytes())

    def look_at_processes(self) -> None:
        """Look at the command lines of all processes, which everybody on a machine can read."""
        for path in _PROCESSES.glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes()
            except OSError:
                continue  # it has ended
            self.look(str(path), line)


def forms_of(secret: bytes) -> Iterator[tuple[str, bytes]]:
    """Spell bytes in every way in which programs write them."""
    yield "raw", secret
    yield "hex", secret.hex().encode()
    yield "HEX", secret.hex().upper().encode()
    yield "repr", repr(secret)[2:-1].encode()
    yield "repr of bytearray", repr(bytearray(secret))[12:-2].encode()
    for separator in (", ", ",", " "):
        yield "numbers", separator.join(map(str, secret)).encode()
    for place in range(3):
        inner = _base64_inside(secret, place)
        yield "base64", inner
        yield "base64url", inner.translate(bytes.maketrans(b"+/", b"-_"))
    try:
        text = secret.decode()
    except UnicodeDecodeError:
        return
    yield "JSON", json.dumps(text)[1:-1].encode()
    yield "UTF-16", text.encode("utf-16-le")


def _base64_inside(secret: bytes, place: int) -> bytes:
    """Return what base64 shows of bytes that begin `place` bytes behind a multiple of three."""
    whole = b64encode(bytes(place) + secret).rstrip(b"=")
    # The characters at both ends hold bits of the neighbours, too.
    first = -(-place * 8 // 6)
    last = (place + len(secret)) * 8 // 6
    return whole[first:last]
