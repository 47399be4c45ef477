"""What a command shows, apart from how: tables, facts and lines of text.

A command makes blocks; the screen draws them for a terminal or for a pipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """What a text means to whoever reads it; a terminal has a colour for each."""

    PLAIN = "plain"
    FAINT = "faint"
    GOOD = "good"
    NOTE = "note"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Cell:
    """A text and what it means."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a column; numbers stand on the right."""

    name: str
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and what each is."""

    pairs: Sequence[tuple[str, Cell]]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text."""

    text: str
    tone: Tone = Tone.PLAIN


Block = Table | Facts | Line


def belong_together(one: Block, other: Block) -> bool:
    """Tell whether two blocks stand without a blank line between them."""
    return isinstance(one, Line) and isinstance(other, Line)


def columns(text: str) -> tuple[Column, ...]:
    """Read `name|name|>number`: the heads of columns in one line."""
    return tuple(Column(name.lstrip(">"), name.startswith(">")) for name in text.split("|"))


def cells(*texts: str | Cell) -> tuple[Cell, ...]:
    """Make the cells of a row."""
    return tuple(text if isinstance(text, Cell) else Cell(text) for text in texts)


def visible(text: str) -> str:
    """Escape what would command a terminal instead of being shown: keys may hold it."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1] for letter in text
    )
