"""Blocks as a terminal shows them, drawn by `rich`; imported only where one is there.

Texts go to rich as `Text`, never as markup: a key may hold `[bold]` and means itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from wa_core.cli.blocks import Block, Cell, Facts, Line, Table, Tone, belong_together, visible

_STYLES = {
    Tone.PLAIN: "",
    Tone.FAINT: "dim",
    Tone.GOOD: "green",
    Tone.NOTE: "cyan",
    Tone.WARNING: "yellow",
    Tone.BAD: "bold red",
}


def draw(blocks: Sequence[Block], console: Console) -> None:
    """Draw blocks, a blank line between them."""
    for place, block in enumerate(blocks):
        if place and not belong_together(blocks[place - 1], block):
            console.print()
        if isinstance(block, Line):
            console.print(_text(Cell(block.text, block.tone)))
        elif isinstance(block, Facts):
            console.print(_facts(block))
        else:
            console.print(_table(block))


def _table(table: Table) -> RichTable:
    """Draw a table, without the columns that are empty."""
    drawn = RichTable(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        header_style="bold",
    )
    shown = [place for place in range(len(table.columns)) if any(r[place].text for r in table.rows)]
    for column in (table.columns[place] for place in shown):
        drawn.add_column(
            Text(column.name),
            justify="right" if column.is_number else "left",
            no_wrap=column.is_number,
            overflow="fold",
        )
    for row in table.rows:
        drawn.add_row(*(_text(row[place]) for place in shown))
    return drawn


def _facts(facts: Facts) -> RichTable:
    drawn = RichTable.grid(padding=(0, 2))
    drawn.add_column(style="dim", no_wrap=True)
    drawn.add_column(overflow="fold")
    for name, cell in facts.pairs:
        drawn.add_row(Text(name), _text(cell))
    return drawn


def _text(cell: Cell) -> Text:
    return Text(visible(cell.text), style=_STYLES[cell.tone])
