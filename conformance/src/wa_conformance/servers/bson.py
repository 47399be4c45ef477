"""The little of MongoDB's wire that starting a server needs: one command, one reply.

So a test of anything else needs no driver, and a driver's own threads and retries are out of play.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping

_OP_MSG = 2013
_PATIENCE_S = 5.0
_SKIPPED = {0x06: 0, 0x07: 12, 0x09: 8, 0x0A: 0, 0x11: 8, 0x13: 16}
"""Types whose values nobody here reads, by their size."""

Document = Mapping[str, object]


def command(host: str, port: int, words: Document, *, database: str = "admin") -> Document:
    """Send one command and return the reply, whatever it says."""
    body = encode({**words, "$db": database})
    message = struct.pack("<iiiiIB", 21 + len(body), 1, 0, _OP_MSG, 0, 0) + body
    with socket.create_connection((host, port), _PATIENCE_S) as connection:
        connection.sendall(message)
        with connection.makefile("rb") as file:
            head = file.read(21)
            if len(head) < 21:
                raise EOFError("mongod hung up")
            return decode(file.read(struct.unpack_from("<i", head)[0] - 21))


def encode(document: Document) -> bytes:
    """Write a document of texts, numbers, truths, lists and documents."""
    body = b"".join(_element(name, value) for name, value in document.items())
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def decode(data: bytes) -> Document:
    """Read a document; values of types that nobody here needs are None."""
    found, at = {}, 4
    while data[at]:
        end = data.index(0, at + 1)
        value, length = _value(data[at], data, end + 1)
        found[data[at + 1 : end].decode()] = value
        at = end + 1 + length
    return found


def _element(name: str, value: object) -> bytes:
    key = name.encode() + b"\0"
    if isinstance(value, bool):
        return b"\x08" + key + bytes([value])
    if isinstance(value, int):
        return b"\x10" + key + struct.pack("<i", value)
    if isinstance(value, str):
        text = value.encode() + b"\0"
        return b"\x02" + key + struct.pack("<i", len(text)) + text
    if isinstance(value, list):
        return b"\x04" + key + encode({str(n): one for n, one in enumerate(value)})
    if isinstance(value, Mapping):
        return b"\x03" + key + encode(value)
    raise TypeError(f"no BSON for {type(value).__name__}")


def _value(kind: int, data: bytes, at: int) -> tuple[object, int]:
    if kind in _SKIPPED:
        return None, _SKIPPED[kind]
    if kind == 0x08:
        return data[at] == 1, 1
    if kind == 0x01:
        return struct.unpack_from("<d", data, at)[0], 8
    if kind == 0x12:
        return struct.unpack_from("<q", data, at)[0], 8
    size = struct.unpack_from("<i", data, at)[0]
    if kind == 0x10:
        return size, 4
    if kind == 0x02:
        return data[at + 4 : at + 3 + size].decode(), 4 + size
    if kind == 0x05:
        return None, 5 + size
    if kind in (0x03, 0x04):
        inner = decode(data[at : at + size])
        return (inner if kind == 0x03 else list(inner.values())), size
    raise ValueError(f"BSON type {kind:#x}")
