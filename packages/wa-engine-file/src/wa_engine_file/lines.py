"""The lines of a manifest: a key, its position, and size and checksum of its value, by tabs."""

from __future__ import annotations

from wa_engine_file.change import Facts, Known

GONE = "-1"
"""The position of a key that is no more."""


def line(key: str, known: Known | None) -> str:
    """Write one line; None is a key that is gone."""
    if isinstance(known, Facts):
        return f"{key}\t{known.at}\t{known.size} {known.crc:x}\n"
    return f"{key}\t{GONE if known is None else known}\t\n"


def columns(lines: str) -> tuple[list[str], list[str], list[str]]:
    """Split whole lines into keys, positions and sums; these are empty where none is known."""
    fields = lines.replace("\n", "\t").split("\t")
    return fields[0:-1:3], fields[1::3], fields[2::3]


def sum_of(text: str) -> tuple[int, int]:
    """Read size and checksum from the last column."""
    size, _, crc = text.partition(" ")
    return int(size), int(crc, 16)
