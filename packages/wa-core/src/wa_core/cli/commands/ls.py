"""`wa ls URL [PREFIX]`: keys, newest first."""

from __future__ import annotations

import argparse

from wa_core.cli.blocks import Line
from wa_core.cli.command import add_common, add_full_keys, add_url
from wa_core.cli.exits import DONE
from wa_core.cli.screen import Screen
from wa_core.errors import masked
from wa_core.storage import open_engine

PAGE = 50


def configure(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.description = "List the keys that begin with PREFIX, the last written first."
    add_url(parser)
    add = parser.add_argument
    add("prefix", metavar="PREFIX", nargs="?", default="", help="as in session/pre-key/ or chat/")
    add("--limit", type=int, default=PAGE, metavar="N", help=f"so many at most (default: {PAGE})")
    add("--offset", type=int, default=0, metavar="N", help="leave out so many (default: 0)")
    add("--all", action="store_true", help="every one")
    add_full_keys(parser)
    add_common(parser)


async def run(options: argparse.Namespace, screen: Screen) -> int:
    """List keys."""
    limit = None if options.all else options.limit
    async with await open_engine(options.url, read_only=True) as engine:
        keys = await engine.list(options.prefix, options.offset, limit)
        total = await engine.count(options.prefix)
    shown = keys if options.full_keys else [masked(key) for key in keys]
    screen.show({"keys": shown, "total": total}, [Line("\n".join(shown))] if shown else [])
    if not screen.as_json and len(keys) < total:
        screen.err.write(f"{len(keys):,} of {total:,}: see --limit, --offset and --all\n")
    return DONE
