"""The error of a check that found the contract broken: the clause, what was seen, the program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wa_core.storage.clauses import BY_ID

_LONG = 300


class Violation(AssertionError):
    """The engine did not keep `clause`; `program` is what led there."""

    def __init__(self, clause: str, message: str, program: Sequence[str] = ()) -> None:
        super().__init__(clause, message, program)
        self.clause = clause
        self.message = message
        self.program = list(program)

    @property
    def sentence(self) -> str:
        """The clause's own words."""
        return BY_ID[self.clause].sentence

    def __str__(self) -> str:
        return self.message


def difference(found: object, expected: object) -> str:
    """Say what differs, closely enough to see it in values that are long."""
    if isinstance(found, dict) and isinstance(expected, dict):
        return _of_mappings(found, expected)
    if isinstance(found, list) and isinstance(expected, list):
        return _of_lists(found, expected)
    if isinstance(found, bytes) and isinstance(expected, bytes) and len(expected) > _LONG:
        return _of_bytes(found, expected)
    return f"returned {shown(found)}, expected {shown(expected)}"


def shown(value: object) -> str:
    """Write a value, shortened in the middle when it is long."""
    if isinstance(value, bytes | bytearray) and len(value) > _LONG:
        return f"<{len(value)} bytes: {bytes(value[:24])!r}...>"
    text = value if isinstance(value, str) and "(" in value else repr(value)
    half = _LONG // 2
    return text if len(text) <= _LONG else f"{text[:half]} ... {text[-half:]}"


def _of_lists(found: list[object], expected: list[object]) -> str:
    missing = [one for one in expected if one not in found]
    surplus = [one for one in found if one not in expected]
    parts = [f"returned {shown(found)}, expected {shown(expected)}"]
    if missing:
        parts.append(f"missing {shown(missing)}")
    if surplus:
        parts.append(f"not expected {shown(surplus)}")
    if not missing and not surplus and len(found) != len(expected):
        parts.append(f"{len(found)} items instead of {len(expected)}")
    elif not missing and not surplus:
        place = next(
            n for n, pair in enumerate(zip(found, expected, strict=True)) if pair[0] != pair[1]
        )
        parts.append(f"the order differs from item {place} on")
    return "; ".join(parts)


def _of_mappings(found: Mapping[object, object], expected: Mapping[object, object]) -> str:
    parts = [f"misses {shown(key)}" for key in expected if key not in found]
    parts += [f"should not hold {shown(key)}" for key in found if key not in expected]
    parts += [
        f"[{shown(key)}] {difference(found[key], expected[key])}"
        for key in expected
        if key in found and found[key] != expected[key]
    ]
    return "; ".join(parts[:8]) or f"returned {shown(found)}, expected {shown(expected)}"


def _of_bytes(found: bytes, expected: bytes) -> str:
    place = next(
        (n for n, pair in enumerate(zip(found, expected, strict=False)) if pair[0] != pair[1]),
        min(len(found), len(expected)),
    )
    return (
        f"returned {len(found)} bytes, expected {len(expected)}; they differ from byte {place} on: "
        f"{found[place : place + 16]!r} instead of {expected[place : place + 16]!r}"
    )
