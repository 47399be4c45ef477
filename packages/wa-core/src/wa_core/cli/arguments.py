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
        "`wa-migrate check --help` is about comparing two stores.",
        EXAMPLES,
    )
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
    add = parser.add_argument
    add("--quick", action="store_true", help="compare numbers of records and the credentials only")
    add("--differences", action="store_true", help="no lines for what is equal")
    add("--full-keys", action="store_true", help="show phone numbers in keys as they are")
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
    add(
        "--only",
        action="append",
        choices=list(PARTS),
        default=[],
        help="a part instead of everything; may be given again. With auth the session moves, "
        "without it the parts are copied and the source stays the session",
    )
    add("--secrets", metavar="FILE", help="lines NAME=VALUE for ${NAME} in the URLs")
    add("--json", action="store_true", help="JSON lines on standard output, for programs")
    return parser
