"""How sizes, ages and findings are spelt for people."""

from __future__ import annotations

from wa_core.cli.blocks import Cell, Tone
from wa_core.state.findings import Severity

_SIZES = ("bytes", "kB", "MB", "GB", "TB")
_AGES = ((86_400 * 365, "years"), (86_400, "days"), (3_600, "h"), (60, "min"))
TONES = {
    Severity.OK: Tone.GOOD,
    Severity.NOTE: Tone.NOTE,
    Severity.WARNING: Tone.WARNING,
    Severity.ERROR: Tone.BAD,
}


def size(number: int) -> str:
    """Spell a number of bytes: `712 bytes`, `3.4 MB`."""
    amount, unit = float(number), 0
    while amount >= 999.5 and unit < len(_SIZES) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{number:,} bytes" if not unit else f"{amount:.3g} {_SIZES[unit]}"


def count(number: int, one: str) -> str:
    """Spell a number of things: `1 record`, `2 records`."""
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def age(seconds: float) -> str:
    """Spell how long ago something was: `3 h ago`."""
    if seconds < 0:
        return "in the future"
    for length, unit in _AGES:
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return "now" if seconds < 1 else f"{seconds:.0f} s ago"


def severity(found: Severity) -> Cell:
    """Spell how bad something is."""
    return Cell(str(found), TONES[found])
