"""`wa engines`: which URL schemes are installed, and what their engines promise."""

from __future__ import annotations

import argparse

from wa_core.cli.blocks import Block, Cell, Line, Table, Tone, cells, columns
from wa_core.cli.command import add_common
from wa_core.cli.exits import DIFFERENT, DONE
from wa_core.cli.screen import Screen
from wa_core.cli.spelling import size
from wa_core.storage.catalog import Offer, offers

_FOOT = (
    "What is promised is what the backend gives when it is set up for it; "
    "`wa inspect` tells of one that is there."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.description = (
        "Each URL scheme, the package that brings it, and what its engines promise at best: what "
        "survives (durability), whether several processes may write (shared), the largest value, "
        "and which clauses of the contract a layout of others cannot keep (docs/contract.md)."
    )
    add_common(parser)


async def run(options: argparse.Namespace, screen: Screen) -> int:
    """Show the engines."""
    found = offers()
    screen.show([offer.to_dict() for offer in found], rendered(found))
    return DIFFERENT if any(offer.flaw for offer in found) else DONE


def rendered(found: list[Offer]) -> list[Block]:
    """Lay the engines out."""
    head = columns("scheme|package|version|durability|shared|>largest value|without")
    return [Table(head, [_row(offer) for offer in found]), Line(_FOOT, Tone.FAINT)]


def _row(offer: Offer) -> tuple[Cell, ...]:
    if offer.version is None:
        what = Cell(f"not installed: pip install {offer.package}", Tone.FAINT)
        return cells(offer.scheme, offer.package, what, "", "", "", "")
    if offer.best is None:
        what = Cell(offer.flaw or "tells when it is open", Tone.BAD if offer.flaw else Tone.NOTE)
        return cells(offer.scheme, offer.package, offer.version, what, "", "", "")
    return cells(
        offer.scheme,
        offer.package,
        offer.version,
        offer.best.durability,
        "yes" if offer.best.shared else "one writer",
        size(offer.best.max_value),
        Cell(" ".join(offer.unclaimed), Tone.FAINT),
    )
