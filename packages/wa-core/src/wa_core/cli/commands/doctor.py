"""`wa doctor URL`: every kind of call, on a scratch session of the same place."""

from __future__ import annotations

import argparse

from wa_core.cli.advice import advice_for
from wa_core.cli.blocks import Block, Cell, Line, Table, Tone, cells, columns
from wa_core.cli.command import add_common, add_url
from wa_core.cli.exits import DONE, code_of
from wa_core.cli.screen import Screen
from wa_core.storage.checkup import Checkup, Outcome, Step, examine

_TONES = {
    Outcome.GOOD: Tone.GOOD,
    Outcome.WARNING: Tone.WARNING,
    Outcome.FAILED: Tone.BAD,
    Outcome.SKIPPED: Tone.FAINT,
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.description = (
        "Connect, take a lease, write, read, list, delete, and see that an old lease is refused "
        "and that what was acknowledged is there, all on a session called wa-doctor in the same "
        "place, which is removed again, also after Ctrl-C. No other session is touched."
    )
    add_url(parser, about="a place, or any session of it")
    add_common(parser)


async def run(options: argparse.Namespace, screen: Screen) -> int:
    """Try the place out and show what came of it."""
    with screen.busy("trying") as say:
        found = await examine(options.url, began=say)
    screen.show(found.to_dict(), rendered(found))
    return DONE if found.error is None else code_of(found.error)


def rendered(found: Checkup) -> list[Block]:
    """Lay the steps out."""
    head = columns("step|how|>ms|found|what to do")
    if found.is_sound:
        verdict = Line("this place works", Tone.GOOD)
    else:
        verdict = Line("this place does not work: see what to do", Tone.BAD)
    return [Line(found.url, Tone.FAINT), Table(head, [_row(step) for step in found.steps]), verdict]


def _row(step: Step) -> tuple[Cell, ...]:
    took = "" if step.outcome is Outcome.SKIPPED else f"{step.seconds * 1000:,.1f}"
    advice = step.advice or (advice_for(step.error) if step.error is not None else "")
    return cells(step.name, Cell(step.outcome, _TONES[step.outcome]), took, step.found, advice)
