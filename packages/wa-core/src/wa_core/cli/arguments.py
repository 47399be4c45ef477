"""The words of `wa-migrate`: what can be asked for, and the help that teaches it."""

from __future__ import annotations

import argparse

from wa_core.cli.exits import TABLE
from wa_core.migrate import LEASE_S, PARTS, PATIENCE_S, OnConflict

EXAMPLES = f"""\
examples
  wa-migrate --from baileys:auth_info --to 'mongodb://me:${{MONGO_PW}}@db/app#my-bot'
                          a folder of Baileys into MongoDB; the password comes from the environment
  wa-migrate --from 'mongodb://me:${{MONGO_PW}}@db/app#my-bot' --to baileys:auth_info
                          and back: Baileys opens that folder again
  wa-migrate --from file:.sessions --to redis://cache/0 --all-sessions --rename old=new
  wa-migrate --from file:.sessions#bot --to sqlite:wa.db#bot --only contacts
                          a copy of one part; without the credentials nothing moves
  wa-migrate check --from file:.sessions#bot --to sqlite:wa.db#bot

Write ${{NAME}} where a password stands, in single quotes, so that only wa-migrate reads it;
--secrets FILE takes the values from lines NAME=VALUE instead of the environment.

Stop the program that uses the session first. wa-migrate holds the source and copies it behind a
marker, compares both sides from fresh connections, and one write decides: at every moment exactly
one side opens. Then the source's records are removed. If anything goes wrong, run the same command
again. docs/migrate.md explains each step.

{TABLE}
"""

ABANDON_EXAMPLES = """\
A run of wa-migrate that was killed leaves a target that does not open, and running the same
command again finishes it. This is for a move that nobody wants any more. It is refused once the
move was decided, and where the target holds all that is left of the session.

If the source is gone for good and the target is complete, no run can finish either: then
--source-lost makes the target the session. It is refused while the source can be read and is the
session.

examples
  wa-migrate abandon --from file:.sessions#bot --to redis://cache/0#bot
  wa-migrate abandon --from file:.sessions#bot --to redis://cache/0#bot --source-lost
"""

CHECK_EXAMPLES = """\
Every record of both sides gets a line:
  = key    equal in value and, where both sides keep it, in position
  - key    only in the target
  + key    only in the source
  * key    in both, but different
  ! key    damaged on one side
Long numbers in keys are shortened, unless --full-keys. A summary follows.

examples
  wa-migrate check --from baileys:auth_info --to sqlite:wa.db#bot
  wa-migrate check --quick --from redis://cache/0#bot --to file:.sessions#bot
"""


def for_move() -> argparse.ArgumentParser:
    """Make the parser of `wa-migrate` itself."""
    parser = _parser(
        "wa-migrate",
        "Move a session to another store, with proof that all of it arrived.\n"
        "`wa-migrate check --help` is about comparing two stores, `wa-migrate abandon --help`\n"
        "about a move that shall not be finished.",
        EXAMPLES,
    )
    _add_only(parser)
    _add_patience(parser)
    add = parser.add_argument
    add(
        "--on-conflict",
        type=OnConflict,
        choices=list(OnConflict),
        default=OnConflict.REFUSE,
        help="what to do about other records in the target: write nothing (refuse, the default); "
        "make it equal to the source (overwrite); leave what it has (skip; not for credentials)",
    )
    add("--all-sessions", action="store_true", help="every session of a place; URLs without #")
    add(
        "--rename",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="with --all-sessions: another name at the target; may be given again",
    )
    add(
        "--keep-source",
        action="store_true",
        help="leave a copy behind, which refuses to open: a ratchet that runs twice ruins both",
    )
    add(
        "--takeover",
        action="store_true",
        help="ask a live worker of the source to stop, and wait until it did",
    )
    add(
        "--force",
        action="store_true",
        help="take the source for the session although it is marked as moved away",
    )
    add("--dry-run", action="store_true", help="write nothing, and tell what would be done")
    return parser


def for_check() -> argparse.ArgumentParser:
    """Make the parser of `wa-migrate check`."""
    parser = _parser(
        "wa-migrate check",
        "Compare two stores by the SHA-256 of every record; nothing is written.",
        CHECK_EXAMPLES,
    )
    _add_only(parser)
    add = parser.add_argument
    add("--quick", action="store_true", help="compare numbers of records and the credentials only")
    add("--differences", action="store_true", help="no lines for what is equal")
    add("--full-keys", action="store_true", help="show phone numbers in keys as they are")
    return parser


def for_abandon() -> argparse.ArgumentParser:
    """Make the parser of `wa-migrate abandon`."""
    parser = _parser(
        "wa-migrate abandon",
        "End a move that was begun and not decided: the source stays the session, and what\n"
        "arrived is removed from the target.",
        ABANDON_EXAMPLES,
    )
    _add_patience(parser)
    add = parser.add_argument
    add(
        "--source-lost",
        action="store_true",
        help="the source is gone for good: keep a target that is complete, as the session",
    )
    add("--yes", action="store_true", help="do not ask")
    add("--dry-run", action="store_true", help="write nothing, and tell what would be done")
    return parser


def _parser(prog: str, description: str, epilog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--from", dest="source", required=True, metavar="URL", help="where the session is")
    add("--to", dest="target", required=True, metavar="URL", help="where it shall be")
    add("--secrets", metavar="FILE", help="lines NAME=VALUE for ${NAME} in the URLs")
    add("--json", action="store_true", help="JSON lines on standard output, for programs")
    return parser


def _add_only(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--only",
        action="append",
        choices=list(PARTS),
        default=[],
        help="a part instead of everything; may be given again. With auth the session moves, "
        "without it the parts are copied and the source stays the session",
    )


def _add_patience(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--wait",
        type=float,
        default=PATIENCE_S,
        metavar="SECONDS",
        help=f"how long to wait for whoever holds the session (default: {PATIENCE_S:g})",
    )
    add(
        "--lease",
        type=float,
        default=LEASE_S,
        metavar="SECONDS",
        help=f"how long the session stays held when wa-migrate dies (default: {LEASE_S:g})",
    )
