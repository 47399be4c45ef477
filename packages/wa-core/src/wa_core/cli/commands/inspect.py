"""`wa inspect URL`: one session and its store, looked at without a write."""

from __future__ import annotations

import argparse

from wa_core.cli.blocks import Block, Cell, Facts, Line, Table, Tone, cells, columns
from wa_core.cli.command import add_common, add_full_keys, add_url
from wa_core.cli.exits import DIFFERENT, DONE, code_of
from wa_core.cli.screen import Screen
from wa_core.cli.spelling import count, severity, size
from wa_core.errors import masked
from wa_core.state.findings import Severity
from wa_core.state.inspection import Inspection, inspect


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.description = (
        "Read every record of a session and change none: is the store sound, and what the session "
        "stands on, what belongs to nothing, how much the backend keeps, where a move stands. Each "
        "finding says what to do."
    )
    add_url(parser)
    add_full_keys(parser)
    add_common(parser)


async def run(options: argparse.Namespace, screen: Screen) -> int:
    """Look at the session and show what was found."""
    with screen.busy("inspecting") as say:
        say("reading every record")
        found = await inspect(options.url)
    screen.show(found.to_dict(full=options.full_keys), rendered(found, full=options.full_keys))
    if found.error is not None:
        return code_of(found.error)
    return DIFFERENT if found.worst is Severity.ERROR else DONE


def rendered(found: Inspection, *, full: bool) -> list[Block]:
    """Lay the findings out."""
    rows = [
        cells(severity(each.severity), each.subject, each.found, each.advice)
        for each in found.report.findings
    ]
    return [
        _facts(found, full),
        Table(columns("how|about|found|what to do"), rows),
        Line(*_verdict(found.worst)),
    ]


def _facts(found: Inspection, full: bool) -> Facts:
    glance, counted = found.overview.glance, found.overview.tally
    me = glance.me and (glance.me if full else masked(glance.me))
    facts = [
        ("store", Cell(found.url)),
        ("engine", Cell(f"{found.package} {found.version}")),
        ("session", Cell(f"{glance.standing} as {me}" if me else str(glance.standing))),
    ]
    if counted is not None:
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(counted.kinds.items()))
        held = f"{count(counted.records, 'record')}, {size(counted.size)}"
        facts.append(("holds", Cell(f"{held}: {kinds}" if kinds else held)))
    return Facts(facts)


def _verdict(worst: Severity) -> tuple[str, Tone]:
    if worst is Severity.ERROR:
        return "something does not work: see what to do", Tone.BAD
    if worst is Severity.WARNING:
        return "it works, and something needs you", Tone.WARNING
    return "sound", Tone.GOOD
