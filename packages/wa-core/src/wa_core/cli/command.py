"""What a subcommand of `wa` is: a module with two functions, loaded when it is asked for."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Protocol, cast

from wa_core.cli.screen import Screen

COMMANDS = {
    "engines": "what is installed, and what it promises",
    "sessions": "the sessions of a place: whose, how large, when written, by whom held",
    "inspect": "one session, looked at without a write: is it sound, and what to do",
    "doctor": "try a place out on a scratch session, which is removed again",
    "ls": "keys, newest first",
    "get": "one record; secrets as type and length, unless --reveal",
    "rm": "remove a record and all below it",
    "backup": "archives of sessions: create, verify, list, restore",
    "seal": "the keys of sealed sessions: rotate, new-key",
    "completion": "what to install so that the shell completes `wa`",
}
"""Every subcommand and its line in the help; each is a module of `wa_core.cli.commands`."""


class Command(Protocol):
    """What such a module has."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Say what can be asked for."""

    async def run(self, options: argparse.Namespace, screen: Screen) -> int:
        """Do it, show what came of it, and return the exit code."""


def load(name: str) -> Command:
    """Import a subcommand."""
    return cast(Command, import_module(f"wa_core.cli.commands.{name}"))


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add what every subcommand has."""
    add = parser.add_argument
    add("--json", action="store_true", help="one JSON document, for programs")
    add("--secrets", metavar="FILE", help="lines NAME=VALUE for ${NAME} in URLs")


def add_full_keys(parser: argparse.ArgumentParser) -> None:
    """Add the switch of those that show phone numbers."""
    parser.add_argument(
        "--full-keys", action="store_true", help="show phone numbers whole, not shortened"
    )


def add_url(parser: argparse.ArgumentParser, *, about: str = "the session: PLACE#NAME") -> None:
    """Add the URL that almost every subcommand takes."""
    parser.add_argument("url", metavar="URL", help=about)


class Actions:
    """The subcommands of a subcommand: `wa backup create`; `options.action` names the one."""

    def __init__(self, parser: argparse.ArgumentParser, examples: str) -> None:
        self._added = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
        self._examples = examples

    def add(self, name: str, about: str) -> argparse.ArgumentParser:
        """Add one, and return its parser."""
        parser = self._added.add_parser(
            name,
            help=about,
            description=about,
            epilog=self._examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add_common(parser)
        return parser
