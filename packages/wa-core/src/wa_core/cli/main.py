"""The command `wa`: from words to a subcommand, from its end to an exit code.

Only the subcommand that was asked for is imported, and what draws tables only for a terminal.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import textwrap
from collections.abc import Sequence

from wa_core.cli.command import COMMANDS, load
from wa_core.cli.exits import USAGE, WA_TABLE, code_of
from wa_core.cli.screen import Screen
from wa_core.cli.secretsfile import take_secrets
from wa_core.cli.signals import StoppedError, interruptible
from wa_core.errors import WaError

WIDTH = 100
_COMPLETING = "_ARGCOMPLETE"
_DESCRIPTION = """\
Look at sessions and take care of them.

A place is a URL: file:.sessions, sqlite:wa.db, redis://host/0, mongodb://host/app,
postgres://host/app, mysql://host/app; `#name` behind it names one session of the place.
Write ${NAME} where a password stands, in single quotes, so that only wa reads it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the console script exits with what it returns."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    completing = _COMPLETING in os.environ
    parser = parser_for(COMMANDS if completing else words)
    if completing:
        import argcomplete

        argcomplete.autocomplete(parser)
    options = parser.parse_args(words)
    _quieten()
    screen = Screen(as_json=options.json)
    try:
        take_secrets(options.secrets, os.environ)
        return asyncio.run(interruptible(load(options.command).run(options, screen)))
    except StoppedError as exc:
        screen.complain("interrupted", "interrupted: what was begun is undone or whole")
        return exc.code
    except WaError as exc:
        screen.fail(exc)
        return code_of(exc)
    except BrokenPipeError:
        # Whoever read has enough; what is left in the buffer goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as exc:
        screen.complain("os", f"{type(exc).__name__}: {exc.strerror}")
        return USAGE


def parser_for(words: Sequence[str] | dict[str, str]) -> argparse.ArgumentParser:
    """Make the parser; of the subcommands only those among the words get theirs filled in."""
    parser = argparse.ArgumentParser(
        prog="wa",
        description=_DESCRIPTION,
        epilog=f"`wa COMMAND --help` says more; docs/wa-command.md has examples.\n\n{WA_TABLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    added = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, about in COMMANDS.items():
        if name not in words:
            added.add_parser(name, help=about)
            continue
        below = added.add_parser(
            name,
            help=about,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            epilog=WA_TABLE,
        )
        load(name).configure(below)
        below.description = textwrap.fill(below.description or "", WIDTH)
    return parser


def _quieten() -> None:
    """Let warnings of engines and drivers not run into tables; `wa inspect` shows them."""
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())


if __name__ == "__main__":
    sys.exit(main())
