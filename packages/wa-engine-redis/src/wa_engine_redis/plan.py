"""A batch as the arguments of one script: a letter for each operation, then what they need."""

from __future__ import annotations

from collections.abc import Sequence

from wa_core.errors import UsageError
from wa_core.storage import Operation, Put

MAX_OPERATIONS = 300_000
"""Redis takes a million arguments in one request; a put needs up to three."""


def packed(operations: Sequence[Operation]) -> tuple[bytes, ...]:
    """Spell a batch as `lua/apply.lua` reads it."""
    if len(operations) > MAX_OPERATIONS:
        raise UsageError(f"at most {MAX_OPERATIONS} operations go into one batch")
    letters: list[str] = []
    args: list[bytes] = []
    for operation in operations:
        if not isinstance(operation, Put):
            letters.append("d")
            args.append(operation.key.encode())
        elif operation.at is None:
            letters.append("p")
            args += (operation.key.encode(), operation.value)
        else:
            letters.append("a")
            args += (operation.key.encode(), operation.value, b"%d" % operation.at)
    return ("".join(letters).encode(), *args)
