"""Blocks as plain text in columns: for pipes, files and programs such as grep."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from wa_core.cli.blocks import Block, Column, Facts, Line, Table, belong_together

_GAP = "  "


def plain(blocks: Sequence[Block]) -> str:
    """Spell blocks as text; a blank line stands between them, none behind the last."""
    lines: list[str] = []
    for place, block in enumerate(blocks):
        if place and not belong_together(blocks[place - 1], block):
            lines.append("")
        lines += _lines(block)
    return "\n".join(lines)


def _lines(block: Block) -> Iterator[str]:
    if isinstance(block, Line):
        yield block.text
    elif isinstance(block, Facts):
        width = max((_width(name) for name, _ in block.pairs), default=0)
        for name, cell in block.pairs:
            yield f"{_padded(name, width)}{_GAP}{cell.text}".rstrip()
    else:
        yield from _table(block)


def _table(table: Table) -> Iterator[str]:
    texts = [[column.name.upper() for column in table.columns]]
    texts += [[cell.text for cell in row] for row in table.rows]
    widths = [max(map(_width, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        yield _GAP.join(
            _aligned(text, width, column)
            for text, width, column in zip(row, widths, table.columns, strict=True)
        ).rstrip()


def _aligned(text: str, width: int, column: Column) -> str:
    return " " * (width - _width(text)) + text if column.is_number else _padded(text, width)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """Count the cells that a terminal gives a text."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if _is_wide(letter) else 1 for letter in text
    )


def _is_wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF"
