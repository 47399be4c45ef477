"""`wa sessions URL`: a line for each session of a place."""

from __future__ import annotations

import argparse
import time

from wa_core.cli.blocks import Block, Cell, Line, Table, Tone, cells, columns
from wa_core.cli.command import add_common, add_full_keys, add_url
from wa_core.cli.exits import DONE
from wa_core.cli.screen import Screen
from wa_core.cli.spelling import age, size
from wa_core.errors import masked
from wa_core.state.overview import Overview, Standing, look_at

_TONES = {
    Standing.LINKED: Tone.GOOD,
    Standing.PAIRING: Tone.NOTE,
    Standing.UNPAIRED: Tone.NOTE,
    Standing.EMPTY: Tone.FAINT,
    Standing.DAMAGED: Tone.BAD,
    Standing.MOVED: Tone.FAINT,
    Standing.ARRIVING: Tone.NOTE,
    Standing.SEALED: Tone.NOTE,
    Standing.UNREADABLE: Tone.BAD,
}

_COUNTED = (("contact",), ("chat",), ("message",), ("pre-key",), ("session", "sender-key"))
"""The kinds that have a column; those that have none share one. `wa inspect` names them all."""

_NUMBERS = ">contacts|>chats|>messages|>pre-keys|>ratchets|>others"


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.description = (
        "Each session of a place: whose it is, how many records of which kind, how large, when it "
        "was last written, and who has it now. Everything is read, nothing written."
    )
    add_url(parser, about="a place, or one session of it")
    add_full_keys(parser)
    add_common(parser)


async def run(options: argparse.Namespace, screen: Screen) -> int:
    """Look at each session, and show them all."""
    found: list[Overview] = []
    with screen.busy("looking at session") as say:
        async for seen in look_at(options.url):
            found.append(seen)
            say(str(len(found) + 1))
    document = {"sessions": [seen.to_dict(full=options.full_keys) for seen in found]}
    screen.show(document, rendered(found, full=options.full_keys, now=time.time()))
    return DONE


def rendered(found: list[Overview], *, full: bool, now: float) -> list[Block]:
    """Lay the sessions out."""
    if not found:
        return [Line("no session is here: check the URL")]
    head = columns(f"session|state|as|{_NUMBERS}|>size|last write|held by")
    blocks: list[Block] = [Table(head, [_row(seen, full, now) for seen in found])]
    for seen in found:
        if seen.glance.error is not None:
            name = _spelt(seen.name, full) or "this place"
            blocks.append(Line(f"{name}: {seen.glance.error}", _TONES[seen.glance.standing]))
    return blocks


def _row(seen: Overview, full: bool, now: float) -> tuple[Cell, ...]:
    glance, counted = seen.glance, seen.tally
    state = Cell(glance.standing, _TONES[glance.standing])
    whose = _spelt((glance.me or "").partition("@")[0], full)
    name = _spelt(seen.name, full) or "(the place itself)"
    if counted is None:
        return cells(name, state, whose, *[""] * 9)
    newest = "" if counted.newest is None else age(now - counted.newest / 1_000_000)
    numbers = [sum(counted.kinds[kind] for kind in kinds) for kinds in _COUNTED]
    numbers.append(counted.kinds.total() - sum(numbers) - counted.kinds["creds"])
    return cells(
        name,
        state,
        whose,
        *(f"{number:,}" for number in numbers),
        size(counted.size),
        newest,
        _held(seen, full),
    )


def _held(seen: Overview, full: bool) -> Cell:
    if not seen.is_holder_known:
        return Cell("not known", Tone.FAINT)
    if seen.holder is None:
        return Cell("nobody", Tone.FAINT)
    return Cell(_spelt(seen.holder.name, full))


def _spelt(text: str, full: bool) -> str:
    return text if full else masked(text)
